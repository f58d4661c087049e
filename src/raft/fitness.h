// Fitness: whether this node is fit to lead, by its own disk and its own state (rules 11 and 16 of the
// design). A leader that is not hands over: it asks the follower that has most, then one after the other
// while none takes over, or steps down. It does not campaign until the cause is gone. Passive: told what
// happens, it asks the core. Owned by: whoever drives a Core, beside it. The core's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "raft/core.h"

namespace parley::raft {

class Fitness {
 public:
  // Once for each tick of the core, after it.
  void tick(Core& core);
  // The core's batches, in the order of their numbers: on their way to the disk, and stored up to one.
  void batch_leaves(std::uint64_t number);
  void batch_stored(std::uint64_t number);
  // What is committed can be applied. decide() carries it out at once, the next tick at the latest.
  void can_apply(bool can) { can_apply_ = can; }
  // Hands over or steps down, if this node leads and must not.
  void decide(Core& core);

  [[nodiscard]] bool has_batches_under_way() const { return !on_the_way_.empty(); }
  [[nodiscard]] bool is_fit() const { return can_apply_ && !is_disk_stalled_; }
  // Why it is not, for people; empty: it is.
  [[nodiscard]] std::string_view why_not() const;

 private:
  // Ticks, not time: one that comes late counts once, so that a process that stood still, or was starved,
  // does not take that for a disk that hangs (rule 10).
  struct Batch {
    std::uint64_t number = 0;
    std::uint64_t since_tick = 0;
  };

  void hand_over(Core& core);
  // A little further than when the first of them was asked.
  [[nodiscard]] bool has_advanced(const PeerStatus& peer) const;

  std::uint64_t ticks_ = 0;
  std::deque<Batch> on_the_way_;  // oldest first
  bool can_apply_ = true;
  bool is_disk_stalled_ = false;
  bool may_campaign_ = true;            // what the core was told last
  std::vector<Member> asked_;           // to lead, because this node does and must not
  std::uint64_t asked_since_tick_ = 0;  // the last of them
  std::vector<PeerStatus> at_first_question_;
};

}  // namespace parley::raft
