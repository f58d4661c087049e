// Short ways to write members, entries and configurations in tests of src/raft.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "raft/types.h"

namespace parley::raft::testing {

inline Member member(std::uint32_t id, std::uint64_t incarnation = 1) {
  return {.id = NodeId(id), .incarnation = Incarnation(incarnation)};
}

inline std::vector<Member> members(std::initializer_list<std::uint32_t> ids) {
  std::vector<Member> made;
  for (const std::uint32_t id : ids) made.push_back(member(id));
  return made;
}

inline Entry entry(std::uint64_t index, std::uint64_t term, std::string data = "x") {
  return {.index = Index(index), .term = Term(term), .data = Payload(std::move(data))};
}

}  // namespace parley::raft::testing
