// What a core is told once, at its making.
// Owned by: Core, by value. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "raft/types.h"

namespace parley::raft {

struct TimingConfig {
  // Ticks without a word from a leader before a pre-vote; each node draws from [base, 2 x base). Too small:
  // elections under load. Too large: a dead leader is missed for longer.
  std::uint32_t election_timeout_ticks = 15;
  // Ticks between a leader's heartbeats. Must be well below election_timeout_ticks.
  std::uint32_t heartbeat_ticks = 2;
  bool operator==(const TimingConfig&) const = default;
};

struct FlowConfig {
  std::size_t max_append_size_bytes = 512 * 1024;        // of one append message; one larger entry goes alone
  std::size_t max_append_entries = 1024;                 // of one append message
  std::size_t max_inflight_appends = 64;                 // per peer, unanswered
  std::size_t max_inflight_bytes = 8 * 1024 * 1024;      // per peer, unanswered
  std::size_t max_uncommitted_bytes = 64 * 1024 * 1024;  // beyond it propose answers "overloaded"
  std::size_t max_cached_bytes = 64 * 1024 * 1024;       // entries kept in memory once stored and committed
  std::size_t max_unapplied_bytes =
      16 * 1024 * 1024;  // given out and not yet told by applied(); one larger entry goes alone
  std::size_t max_pending_reads = 100'000;
  bool operator==(const FlowConfig&) const = default;
};

struct Config {
  Member self;
  std::uint32_t priority = 0;  // the higher leads, once caught up (leadership transfer, never a shorter log)
  TimingConfig timing;
  FlowConfig flow;
  // Of election timeouts, and of the ids that its read requests carry to the leader: another one at every
  // start, so that an answer to a request of an earlier process is no answer to one of this.
  std::uint64_t seed = 0;

  // What is wrong with it, if anything.
  [[nodiscard]] std::expected<void, std::string> validate() const;
  bool operator==(const Config&) const = default;
};

}  // namespace parley::raft
