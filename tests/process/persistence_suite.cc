// The same cases with all nodes stopped and started between any two steps: all cases in lock-step, so that
// one restart serves them all. Once by SIGTERM, once by SIGKILL.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "tests/process/cases.h"
#include "tests/process/cluster.h"

namespace parley::testing {
namespace {

class PersistenceSuite : public ::testing::TestWithParam<int> {};

TEST_P(PersistenceSuite, EveryCaseWithARestartOfAllNodesBetweenAnyTwoSteps) {
  Cluster cluster(5);
  World world;
  const auto cases = all_cases(world, "p.");
  std::size_t rounds = 0;
  for (const Case& one : cases) {
    rounds = std::max(rounds, one.steps.size());
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    const int leader = cluster.wait_for_leader();
    // In turn through the leader and through one that is not.
    const auto api = grpc_api(cluster, {round % 2 == 0 ? leader : cluster.any_follower(leader)});
    world.api = api.get();
    for (const Case& one : cases) {
      if (round < one.steps.size()) {
        SCOPED_TRACE(one.name + ": " + one.steps[round].name);
        one.steps[round].run();
        ASSERT_FALSE(HasFatalFailure());
      }
    }
    fmt::print("round {} of {} done\n", round + 1, rounds);
    cluster.stop_all(GetParam());
    cluster.start_all();
  }
  cluster.wait_for_leader();
}

INSTANTIATE_TEST_SUITE_P(Grpc, PersistenceSuite, ::testing::Values(SIGTERM, SIGKILL), [](const auto& signal) {
  return std::string(signal.param == SIGTERM ? "StoppedBySigterm" : "KilledBySigkill");
});

}  // namespace
}  // namespace parley::testing
