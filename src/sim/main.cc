// parley_sim: runs seeds of the simulator (docs/simulation.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "sim/run.h"
#include "sim/soak.h"

namespace parley::sim {
namespace {

struct Arguments {
  Options options;
  std::string seeds = "1..100";
  unsigned processes = 1;
  std::string plant = "none";
  std::vector<std::string> muted;
  bool prints_faults = false;
};

bool parse_range(const std::string& text, std::uint64_t& first, std::uint64_t& last) {
  const std::size_t dots = text.find("..");
  if (dots == std::string::npos) {
    return false;
  }
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [first_end, first_error] = std::from_chars(begin, begin + dots, first);
  const auto [last_end, last_error] = std::from_chars(begin + dots + 2, end, last);
  return first_error == std::errc{} && last_error == std::errc{} && first_end == begin + dots &&
         last_end == end && first <= last;
}

int run_one(const Options& options) {
  const RunResult result = run(options);
  fmt::print(
      "seed {}: {} events in {:.1f} virtual s, {} elections, {} entries committed, {} writes, {} reads, "
      "hash {:016x}\n",
      options.seed, result.events, static_cast<double>(result.virtual_time.count()) / 1e6, result.elections,
      result.committed, result.writes, result.reads, result.trace_hash);
  if (result.violation) {
    fmt::print("FAILED: {}: {}\n", name(result.violation->check), result.violation->what);
    return 1;
  }
  return 0;
}

void print_faults(const SoakResult& result, std::size_t voters) {
  for (const Fault fault : faults_for(voters)) {
    fmt::print("  {:<28}{:>12}\n", name(fault), result.faults.of(fault));
  }
}

int run_many(const Arguments& arguments, std::uint64_t first, std::uint64_t last) {
  const SoakOptions options{arguments.options, first, last, arguments.processes};
  const auto began = std::chrono::steady_clock::now();
  auto shown = began;
  const SoakResult result = soak(options, [&](const SoakResult& so_far) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown > std::chrono::seconds(5)) {
      shown = now;
      const double spent_s = std::chrono::duration<double>(now - began).count();
      fmt::print("{} of {} seeds, {:.0f} a second, {} elections, {} writes acknowledged\n", so_far.seeds,
                 last - first + 1, static_cast<double>(so_far.seeds) / spent_s, so_far.elections,
                 so_far.writes);
      std::fflush(stdout);
    }
  });
  const double spent_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print(
      "{} nodes, {} seeds in {:.1f} s: {} events, {} elections, {} entries committed, {} writes, {} reads\n",
      options.run.voters, result.seeds, spent_s, result.events, result.elections, result.committed,
      result.writes, result.reads);
  if (arguments.prints_faults) {
    print_faults(result, options.run.voters);
  }
  if (result.failure) {
    fmt::print("FAILED at seed {}: {}: {}\nreplay: {}\n", result.failure->seed, result.failure->check,
               result.failure->what, replay_command(options.run, result.failure->seed));
    return 1;
  }
  return 0;
}

int run_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs simulated clusters under seeded faults and checks them after every step.");
  app.add_option("--nodes", arguments.options.voters, "voters at founding")
      ->check(CLI::Range(1, 7))
      ->capture_default_str();
  auto* seed = app.add_option("--seed", arguments.options.seed, "run this one seed");
  app.add_option("--seeds", arguments.seeds, "run these, FROM..TO")->capture_default_str()->excludes(seed);
  app.add_option("--steps", arguments.options.steps, "events of the safety phase")->capture_default_str();
  app.add_flag("--trace", arguments.options.prints_trace, "with --seed: print every event")->needs(seed);
  app.add_option("--plant", arguments.plant, "put this bug into the harness")->capture_default_str();
  app.add_option("--mute", arguments.muted, "let this check look away");
  app.add_option("--processes", arguments.processes, "run so many at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--faults", arguments.prints_faults, "print how often each fault fired");
  CLI11_PARSE(app, argc, argv);

  const auto plant = plant_named(arguments.plant);
  if (!plant) {
    fmt::print(stderr, "no plant is called {}\n", arguments.plant);
    return 2;
  }
  arguments.options.plant = *plant;
  for (const std::string& text : arguments.muted) {
    const auto check = check_named(text);
    if (!check) {
      fmt::print(stderr, "no check is called {}\n", text);
      return 2;
    }
    arguments.options.muted.set(static_cast<std::size_t>(*check));
  }
  if (seed->count() > 0) {
    return run_one(arguments.options);
  }
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (!parse_range(arguments.seeds, first, last)) {
    fmt::print(stderr, "--seeds wants FROM..TO, such as 1..1000\n");
    return 2;
  }
  return run_many(arguments, first, last);
}

}  // namespace
}  // namespace parley::sim

int main(int argc, char** argv) {
  try {
    return parley::sim::run_program(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "parley_sim: {}\n", error.what());
    return 2;
  }
}
