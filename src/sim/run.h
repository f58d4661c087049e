// run: one seed, from founding to the healed end. Owned by: nobody. Any thread; a run is of one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/checkers.h"
#include "sim/faults.h"
#include "sim/options.h"

namespace parley::sim {

struct RunResult {
  std::optional<Violation> violation;
  std::uint64_t trace_hash = 0;
  FaultCounters faults;
  std::uint64_t events = 0;
  std::uint64_t elections = 0;
  std::uint64_t committed = 0;
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  Duration virtual_time{0};
};

[[nodiscard]] RunResult run(const Options& options);

// Nothing breaks but one thing, on a quiet network (must-pass.md, J 10).
struct Failover {
  bool has_new_leader = false;
  std::uint64_t terms = 0;  // that it took: more than 1 is a split vote
  Duration gap{0};          // until the new leader could commit
};
struct FailoverConditions {
  Duration news_spread{500};  // so much later the last peer sees its connection close than the first
  Duration sync_min{100};     // of all disks
  Duration sync_max{500};
};
// The leader is killed among writes, and its peers see their connections close.
[[nodiscard]] Failover kill_the_leader(std::uint64_t seed, std::size_t voters,
                                       FailoverConditions conditions = {});
// What a leader falls ill with, among writes, for three seconds (rules 11 and 16): it leaves leadership by
// itself.
enum class Illness : std::uint8_t { disk_hangs, state_unwritable };
[[nodiscard]] Failover make_leader_ill(std::uint64_t seed, std::size_t voters, Illness illness);
// Of three nodes one is a long way behind when the second dies and the leader's state cannot be written any
// more: only the leader can bring it up. True: it leads in the end.
[[nodiscard]] bool last_follower_takes_over(std::uint64_t seed);
// The state of the leader and of one follower cannot be written, and the disk of the other hangs for three
// seconds: nobody can lead. How long the leader keeps up the appearance; nothing: until the end.
[[nodiscard]] std::optional<Duration> leader_among_the_ill_stays(std::uint64_t seed);
// A follower gets no time for so long. True: the leader still leads, in the same term.
[[nodiscard]] bool leader_survives_starved_follower(std::uint64_t seed, std::size_t voters, Duration starved);

}  // namespace parley::sim
