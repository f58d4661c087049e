// Fault: every kind of trouble that the simulator can make, and the count of how often each one really
// happened. Owned by: the run. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace parley::sim {

enum class Fault : std::uint8_t {
  // network
  message_lost,
  message_replayed,
  message_reordered,
  queue_overflow,
  link_clogged,
  partition_by_size,
  partition_uniform,
  partition_one_alone,
  partition_one_way,
  partition_bridge,
  partition_two_leaves,
  leader_only_sends,
  leader_only_receives,
  // processes
  crash,
  crash_of_leader,
  crash_of_many,
  crash_of_all,
  freeze,
  // named points of a crash
  crash_before_send,
  crash_after_send,
  crash_before_reply,
  crash_after_reply,
  crash_before_store_vote,
  crash_after_store_vote,
  crash_before_store_entries,
  crash_after_store_entries,
  crash_at_commit,
  crash_before_apply,
  crash_after_apply,
  crash_before_state_commit,
  crash_after_state_commit,
  crash_before_compaction,
  crash_after_compaction,
  crash_before_install,
  crash_in_restart,
  // disks
  unsynced_batch_lost,
  unsynced_batch_kept,
  disk_stall,
  disk_error,
  state_unwritable,
  power_failed_in_write,
  power_failed_in_recovery,
  // clocks
  clock_slow,
  clock_fast,
  clock_jump,
  duel_of_candidates,
  // what an operator or a node does to leadership
  transfer_of_leadership,
  leader_steps_down,
  campaign_forbidden,
  reconfiguration,
  snapshot_installed,
  // clients
  request_lost,
  reply_lost,
  client_gave_up,
  count,
};

inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::count);

[[nodiscard]] std::string_view name(Fault fault);

// How often each kind fired.
class FaultCounters {
 public:
  void count(Fault fault) { add(fault, 1); }
  void add(Fault fault, std::uint64_t times) { counts_[static_cast<std::size_t>(fault)] += times; }
  [[nodiscard]] std::uint64_t of(Fault fault) const { return counts_[static_cast<std::size_t>(fault)]; }
  void add(const FaultCounters& other) {
    for (std::size_t i = 0; i < kFaults; ++i) {
      counts_[i] += other.counts_[i];
    }
  }

 private:
  std::array<std::uint64_t, kFaults> counts_{};
};

// The kinds that a cluster of this many voters can meet, and that its runs must therefore have met.
[[nodiscard]] std::vector<Fault> faults_for(std::size_t voters);

}  // namespace parley::sim
