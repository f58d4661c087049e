#include "sim/faults.h"

namespace parley::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "message_lost",
    "message_replayed",
    "message_reordered",
    "queue_overflow",
    "link_clogged",
    "partition_by_size",
    "partition_uniform",
    "partition_one_alone",
    "partition_one_way",
    "partition_bridge",
    "partition_two_leaves",
    "leader_only_sends",
    "leader_only_receives",
    "crash",
    "crash_of_leader",
    "crash_of_many",
    "crash_of_all",
    "freeze",
    "crash_before_send",
    "crash_after_send",
    "crash_before_reply",
    "crash_after_reply",
    "crash_before_store_vote",
    "crash_after_store_vote",
    "crash_before_store_entries",
    "crash_after_store_entries",
    "crash_at_commit",
    "crash_before_apply",
    "crash_after_apply",
    "crash_before_state_commit",
    "crash_after_state_commit",
    "crash_before_compaction",
    "crash_after_compaction",
    "crash_before_install",
    "crash_in_restart",
    "unsynced_batch_lost",
    "unsynced_batch_kept",
    "disk_stall",
    "disk_error",
    "state_unwritable",
    "power_failed_in_write",
    "power_failed_in_recovery",
    "clock_slow",
    "clock_fast",
    "clock_jump",
    "duel_of_candidates",
    "transfer_of_leadership",
    "leader_steps_down",
    "campaign_forbidden",
    "reconfiguration",
    "snapshot_installed",
    "request_lost",
    "reply_lost",
    "client_gave_up",
};

// One node alone has no links; two have no third to meet in; a leaf needs somebody else's link to hang on.
std::size_t voters_needed(Fault fault) {
  switch (fault) {
    case Fault::message_lost:
    case Fault::message_replayed:
    case Fault::message_reordered:
    case Fault::queue_overflow:
    case Fault::link_clogged:
    case Fault::partition_by_size:
    case Fault::partition_uniform:
    case Fault::partition_one_alone:
    case Fault::partition_one_way:
    case Fault::leader_only_sends:
    case Fault::leader_only_receives:
    case Fault::crash_before_send:
    case Fault::crash_after_send:
    case Fault::crash_before_reply:
    case Fault::crash_after_reply:
    case Fault::crash_before_install:
    case Fault::snapshot_installed:
    case Fault::crash_of_many:
    case Fault::duel_of_candidates:
    case Fault::transfer_of_leadership:
      return 2;
    case Fault::partition_bridge:
      return 3;
    case Fault::partition_two_leaves:
      return 4;
    default:
      return 1;
  }
}

}  // namespace

std::string_view name(Fault fault) { return kNames[static_cast<std::size_t>(fault)]; }

std::vector<Fault> faults_for(std::size_t voters) {
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (voters >= voters_needed(fault)) {
      faults.push_back(fault);
    }
  }
  return faults;
}

}  // namespace parley::sim
