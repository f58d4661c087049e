// What a run is asked for (Options) and what its seed makes of it (Scenario): the faults that are on, their
// strength, and the settings of the cores. Owned by: the run. One thread.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "raft/config.h"
#include "sim/faults.h"
#include "sim/random.h"

namespace parley::sim {

// A bug that is put into the harness, to see that a check finds it.
enum class Plant : std::uint8_t {
  none,
  skip_fsync,          // the disk says "stored" at once, and stores long after
  lying_disk,          // below the real log: syncs return and do nothing
  persisted_early,     // the driver reports a batch before the disk has done it
  forget_term,         // a restart comes back in the term of its newest entry
  forget_vote,         // a restart comes back without its vote
  every_vote_counts,   // a refused vote is taken for a granted one
  altered_entry,       // an entry becomes another one on its way
  forget_tail,         // a restart comes back without the newest stored entries that are not in its state
  apply_twice,         // now and then an entry is applied once more
  apply_out_of_turn,   // two committed entries change places
  apply_differently,   // one node's state machine makes something else of an entry
  stale_read,          // a read is answered without its barrier
  ack_before_commit,   // a write is answered when it is proposed
  retry_as_new,        // a client's retry has a new request id
  deaf_after_restart,  // a restarted node never hears its peers again
  endless_queue,       // the driver hides that entries wait to be applied
  count,
};

// What can be found wrong; docs/simulation.md says what each one means.
enum class Check : std::uint8_t {
  election_safety,
  one_vote,
  durable_before_message,
  log_matching,
  leader_completeness,
  majority_durable,
  state_machine_safety,
  never_backwards,
  acknowledged_kept,
  exactly_once,
  linearizable,
  recovery,
  bounded,
  core_invariants,
  liveness,
  count,
};
inline constexpr std::size_t kPlants = static_cast<std::size_t>(Plant::count);
inline constexpr std::size_t kChecks = static_cast<std::size_t>(Check::count);

[[nodiscard]] std::string_view name(Plant plant);
[[nodiscard]] std::string_view name(Check check);
[[nodiscard]] std::optional<Plant> plant_named(std::string_view text);
[[nodiscard]] std::optional<Check> check_named(std::string_view text);

struct Options {
  std::uint64_t seed = 1;
  std::size_t voters = 3;        // at founding, 1 to 7
  std::uint64_t steps = 12'000;  // events of the safety phase
  Plant plant = Plant::none;
  std::bitset<kChecks> muted;  // checks that look away: to see that another one finds a plant, too
  bool prints_trace = false;
};

struct NetworkOptions {
  std::uint64_t loss_percent = 0;
  std::uint64_t replay_percent = 0;
  Duration delay_min{100};
  Duration delay_max{2'000};
  bool keeps_order = true;         // of what one link carries, as a connection does; replays never do
  std::size_t max_queued = 4'096;  // messages under way on one link; beyond it they are dropped
};

struct DiskOptions {
  bool has_real_log = false;  // the write-ahead log itself on a faulty disk, else a model of it
  Duration sync_min{100};
  Duration sync_max{1'000};
  std::uint64_t keep_percent = 50;            // at a crash: chance that a batch under way made it to the disk
  std::size_t recovered_entries = 1'000'000;  // of the newest ones, handed back in memory at a restart
};

struct ClientOptions {
  std::size_t count = 4;
  Duration think_max{20'000};
  std::uint64_t read_percent = 30;
  std::uint64_t request_loss_percent = 0;
  std::uint64_t reply_loss_percent = 0;
  std::size_t padding_max_bytes = 100;
  unsigned attempts_max = 20;  // then it gives up: the outcome stays unknown
};

struct Scenario {
  raft::TimingConfig timing;
  raft::FlowConfig flow;
  NetworkOptions network;
  DiskOptions disk;
  ClientOptions clients;
  Duration tick{10'000};
  Duration turn_max{0};  // from the first of several inputs until the core is asked what comes of them
  Duration apply_max{1'000};
  Duration state_commit_every{50'000};
  Duration nemesis_pause_max{300'000};  // between two of its deeds
  Duration trouble_max{1'500'000};      // how long one deed lasts
  bool tells_of_crashes = false;        // peers see at once that a process is gone: its connections close
  Duration crash_news_spread{500};      // so much later some see it than others
  bool forwards = true;                 // a follower hands a write to the leader; else it refuses
  bool compacts = false;
  bool reconfigures = false;
  std::size_t spares = 0;  // nodes that wait to be taken in
  std::bitset<kFaults> on;

  [[nodiscard]] bool has(Fault fault) const { return on[static_cast<std::size_t>(fault)]; }
};

[[nodiscard]] Scenario make_scenario(const Options& options);

}  // namespace parley::sim
