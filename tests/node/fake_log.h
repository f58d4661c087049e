// FakeLog: an OrderedLog that a test leads by hand. Owned by: one test.
#pragma once

#include <optional>
#include <vector>

#include "node/ordered_log.h"

namespace parley::node::testing {

inline raft::Member member(std::uint32_t id, std::uint64_t incarnation = 0) {
  return {base::NodeId(id), base::Incarnation(incarnation == 0 ? 1000 + id : incarnation)};
}

class FakeLog final : public OrderedLog {
 public:
  [[nodiscard]] std::expected<LogPlace, ProposeRefusal> propose(base::Payload entry) override {
    if (refusal) {
      return std::unexpected(*refusal);
    }
    if (!now.is_leader) {
      return std::unexpected(ProposeRefusal::not_leader);
    }
    now.last = now.last.next();
    entries.push_back({now.last, now.term, raft::EntryKind::command, std::move(entry)});
    return LogPlace{now.last, now.term};
  }
  void barrier(std::uint64_t barrier_id) override { barriers.push_back(barrier_id); }
  void applied(base::Position) override {}
  void may_lead(bool) override {}
  [[nodiscard]] LogStatus status() const override { return now; }

  void lead(std::uint32_t self, std::uint64_t term) {
    now.is_leader = true;
    now.term = raft::Term(term);
    now.leader = member(self);
  }
  void follow(std::optional<raft::Member> leader, std::uint64_t term) {
    now.is_leader = false;
    now.term = raft::Term(term);
    now.leader = leader;
  }

  LogStatus now;
  std::optional<ProposeRefusal> refusal;
  std::vector<raft::Entry> entries;
  std::vector<std::uint64_t> barriers;
};

}  // namespace parley::node::testing
