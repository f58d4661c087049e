// RankedCampaign: when a node whose connection to the leader is dead campaigns (rule 10 of the design). The
// followers come one after the other, by rank, so that four of them do not split the vote; who fails comes
// again, after ever longer waits, because the others may not have known yet that the leader is gone. Passive:
// it only says when. Owned by: whoever drives a Core, beside it. The core's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "raft/core.h"

namespace parley::raft {

class RankedCampaign {
 public:
  // `election_timeout_us`: the shortest. When it has passed, and with it the lease of those who have not lost
  // their connection, comes the last turn; then the core's own timer has the word.
  RankedCampaign(std::uint64_t seed, std::int64_t election_timeout_us);

  // The connection to `lost`, the leader, is dead; the core has been told to forget it.
  void begin(const Core& core, const Member& lost, std::int64_t now_us);

  // When take_turn() is to be called.
  [[nodiscard]] std::optional<std::int64_t> due_us() const { return due_us_; }

  // Whether to campaign now. Nothing before due_us().
  [[nodiscard]] bool take_turn(const Core& core, std::int64_t now_us);

 private:
  [[nodiscard]] std::int64_t jitter_us();

  const std::int64_t election_timeout_us_;
  std::minstd_rand random_;
  std::optional<std::int64_t> due_us_;
  std::int64_t last_turn_at_us_ = 0;
  std::int64_t next_wait_us_ = 0;
  Term term_;  // when it was looked at last
};

}  // namespace parley::raft
