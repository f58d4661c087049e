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
// A follower gets no time for so long. True: the leader still leads, in the same term.
[[nodiscard]] bool leader_survives_starved_follower(std::uint64_t seed, std::size_t voters, Duration starved);

}  // namespace parley::sim
