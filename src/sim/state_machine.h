// StateMachine: what the cluster agrees on, in the least form that shows mistakes: a list of effects, one per
// value, exactly-once by request id, with a hash of everything so far at every index. Its disk keeps a prefix
// of it: a crash rolls back to the last state commit. Owned by: the node. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "raft/types.h"
#include "sim/network.h"

namespace parley::sim {

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] Request decode_request(std::string_view bytes);

struct Applied {
  std::uint64_t state_hash = 0;    // after this entry
  std::optional<Request> request;  // of a command
  bool took_effect = false;        // false: a retry of what was done before
  raft::Index effect_at;           // where the request took effect, first
};

class StateMachine {
 public:
  // The entry after the last applied one; of another index it is applied all the same (the checkers look).
  const Applied& apply(const raft::Entry& entry, bool differently = false);
  // Forgets everything after `index`.
  void roll_back(raft::Index index);

  [[nodiscard]] raft::Index applied() const { return raft::Index(history_.size()); }
  // Something must have been applied.
  [[nodiscard]] const Applied& newest() const { return history_.back(); }
  [[nodiscard]] std::uint64_t hash() const { return history_.empty() ? 0 : history_.back().state_hash; }

 private:
  std::vector<Applied> history_;  // of index 1, 2, …
  std::unordered_map<std::uint64_t, raft::Index>
      results_;  // request id → where it took effect; only looked up
};

}  // namespace parley::sim
