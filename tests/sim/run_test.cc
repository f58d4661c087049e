// must-pass.md C, D, E: clusters of every size under seeded faults.
#include "sim/run.h"

#include <gtest/gtest.h>

#include "effort.h"
#include "sim/soak.h"

namespace parley::sim {
namespace {

SoakResult soak_size(std::size_t voters, std::uint64_t seeds) {
  const SoakOptions options{.run = Options{.voters = voters}, .first_seed = 1, .last_seed = seeds};
  SoakResult result = soak(options);
  if (result.failure) {
    ADD_FAILURE() << result.failure->check << ": " << result.failure->what
                  << "\nreplay: " << replay_command(options.run, result.failure->seed);
  }
  return result;
}

// A kind that never fired was not tested.
void expect_every_fault(const SoakResult& result, std::size_t voters) {
  for (const Fault fault : faults_for(voters)) {
    EXPECT_GT(result.faults.of(fault), 0U) << name(fault) << " never happened";
  }
}

void expect_work(const SoakResult& result) {
  EXPECT_GT(result.writes, 10 * result.seeds);
  EXPECT_GT(result.reads, 5 * result.seeds);
  EXPECT_GT(result.elections, 2 * result.seeds);
}

TEST(Nemesis, three_nodes) {
  const SoakResult result = soak_size(3, kSeeds);
  expect_work(result);
  if (kDemandsEveryFault) {
    expect_every_fault(result, 3);
  }
}

TEST(Nemesis, five_nodes) {
  const SoakResult result = soak_size(5, kSeeds);
  expect_work(result);
  if (kDemandsEveryFault) {
    expect_every_fault(result, 5);
  }
}

TEST(Nemesis, other_sizes) {
  for (const std::size_t voters : {1U, 2U, 4U, 7U}) {
    const SoakResult result = soak_size(voters, kSeeds / 5);
    EXPECT_GT(result.writes, 0U) << voters << " nodes";
  }
}

TEST(Run, one_seed_is_one_run) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const RunResult first = run(Options{.seed = seed, .voters = 3});
    const RunResult second = run(Options{.seed = seed, .voters = 3});
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events) << "seed " << seed;
    const RunResult other = run(Options{.seed = seed + 1'000, .voters = 3});
    EXPECT_NE(first.trace_hash, other.trace_hash) << "seed " << seed;
  }
}

}  // namespace
}  // namespace parley::sim
