// Many seeds, in child processes: a broken invariant of the core aborts the child and not the whole.
// Owned by: nobody. One thread (it forks).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sim/faults.h"
#include "sim/options.h"

namespace parley::sim {

struct SoakOptions {
  Options run;  // its seed is not looked at
  std::uint64_t first_seed = 1;
  std::uint64_t last_seed = 100;
  unsigned processes = 1;
};

struct Failure {
  std::uint64_t seed = 0;
  std::string check;  // name of the check; "aborted" if the process died
  std::string what;
};

struct SoakResult {
  std::optional<Failure>
      failure;              // of the lowest seed that was seen to fail; later ones may not have been tried
  std::uint64_t seeds = 0;  // that went well
  std::uint64_t events = 0;
  std::uint64_t elections = 0;
  std::uint64_t committed = 0;
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  FaultCounters faults;
};

// `progress` is called now and then with what was done so far.
[[nodiscard]] SoakResult soak(const SoakOptions& options,
                              const std::function<void(const SoakResult&)>& progress = {});

// The command that runs this seed again and prints what happens.
[[nodiscard]] std::string replay_command(const Options& options, std::uint64_t seed);

}  // namespace parley::sim
