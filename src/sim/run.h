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

}  // namespace parley::sim
