// A cluster that works: it is founded, elects, takes writes at every node, and survives the loss of nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>

#include "tests/node/cluster.h"
#include "tests/node/load.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::ElementsAre;

TEST(Cluster, OneNodeAloneWorks) {
  TestCluster cluster(1);
  cluster.start_all();
  EXPECT_EQ(cluster.wait_for_leader(), 1U);
  const TestUser anna = cluster.make_user(1, "anna");
  EXPECT_TRUE(cluster.write(1, cluster.message(anna, anna, "note")));
  EXPECT_THAT(cluster.inbox(1, ReadMode::linearizable, anna), ElementsAre("note"));
}

TEST(Cluster, EveryNodeTakesWritesAndReadsThem) {
  TestCluster cluster(3);
  cluster.start_all();
  static_cast<void>(cluster.wait_for_leader());
  cluster.wait_until_equal();
  const TestUser anna = cluster.make_user(1, "anna");
  const TestUser bob = cluster.make_user(2, "bob");
  for (std::uint32_t through = 1; through <= 3; ++through) {
    const auto sent =
        cluster.write(through, cluster.message(anna, bob, "through " + std::to_string(through)));
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_EQ(sent->verdict, chat::Verdict::done);
    EXPECT_EQ(sent->message.body, "through " + std::to_string(through));
  }
  for (std::uint32_t at = 1; at <= 3; ++at) {
    EXPECT_THAT(cluster.inbox(at, ReadMode::linearizable, bob),
                ElementsAre("through 1", "through 2", "through 3"));
  }
}

TEST(Cluster, AfterAStopOfAllEverythingIsThere) {
  TestCluster cluster(3);
  cluster.start_all();
  static_cast<void>(cluster.wait_for_leader());
  cluster.wait_until_equal();
  const TestUser anna = cluster.make_user(1, "anna");
  ASSERT_TRUE(cluster.write(2, cluster.message(anna, anna, "before")));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.stop(id);
  }
  cluster.start_all();
  EXPECT_TRUE(cluster.write_until_known(3, cluster.message(anna, anna, "after")));
  EXPECT_THAT(cluster.inbox(1, ReadMode::linearizable, anna), ElementsAre("before", "after"));
}

// What is acknowledged was synced by a majority before; and under load one sync serves many sends.
TEST(Cluster, AMajoritySyncsBeforeEveryAcknowledgementAndOneSyncServesMany) {
  TestCluster cluster(3);
  cluster.use_stalling_disks();
  cluster.start_all();
  const std::uint32_t leader = cluster.wait_for_leader();
  const TestUser anna = cluster.make_user(leader, "anna");
  cluster.wait_until_equal();
  const auto counts = [&cluster] {
    return std::array{cluster.stalling_disk(1).syncs(), cluster.stalling_disk(2).syncs(),
                      cluster.stalling_disk(3).syncs()};
  };
  for (int i = 0; i < 10; ++i) {
    const auto before = counts();
    const auto sent = cluster.write(leader, cluster.message(anna, anna, "one at a time"));
    const auto after = counts();
    ASSERT_TRUE(sent) << sent.error().message;
    int have_synced = 0;
    for (std::size_t node = 0; node < before.size(); ++node) {
      have_synced += after[node] > before[node] ? 1 : 0;
    }
    EXPECT_GE(have_synced, 2);
  }
  const std::uint64_t syncs_before = cluster.stalling_disk(leader).syncs();
  Load load({&cluster.node(1), &cluster.node(2), &cluster.node(3)}, anna, 64);
  ASSERT_TRUE(wait_until([&] { return load.acknowledged() >= 1'000; }));
  const std::uint64_t syncs = cluster.stalling_disk(leader).syncs() - syncs_before;
  load.stop();
  std::printf("%llu sends, %llu syncs of the leader\n", static_cast<unsigned long long>(load.acknowledged()),
              static_cast<unsigned long long>(syncs));
  EXPECT_GE(syncs, 1U);
  EXPECT_LT(syncs + syncs / 4, load.acknowledged());
}

// 1. A machine sleeps, and its monotonic clock with it. 2. It wakes without a network. 3. What it knew before
// is not told as fresh.
TEST(Cluster, AfterTheSleepOfItsMachineANodeSaysHowOldItsAnswersAre) {
  constexpr std::uint32_t kSleep_ms = 8 * 3'600'000;
  std::atomic<std::uint32_t> slept_ms{0};
  TestCluster cluster(3, [&slept_ms](ReplicaOptions& options) {
    options.boot_clock = [&slept_ms] { return boot_now() + std::chrono::milliseconds(slept_ms.load()); };
  });
  cluster.start_all();
  const std::uint32_t leader = cluster.wait_for_leader();
  cluster.wait_until_equal();
  const std::uint32_t sleeper = cluster.other_than(leader);
  const auto age_ms = [&] {
    const auto as_of = cluster.read(sleeper, ReadMode::stale, [](chat::Reader&) {});
    EXPECT_TRUE(as_of.has_value()) << as_of.error().message;
    return as_of ? as_of->age_ms : std::nullopt;
  };
  EXPECT_LT(age_ms().value_or(kSleep_ms), kSleep_ms);
  cluster.network().isolate(base::NodeId(sleeper));
  slept_ms = kSleep_ms;
  EXPECT_GE(age_ms().value_or(0), kSleep_ms);
  EXPECT_GE(cluster.node(sleeper).status().as_of.age_ms.value_or(0), kSleep_ms);
  cluster.network().heal();
  EXPECT_TRUE(wait_until([&] { return age_ms().value_or(kSleep_ms) < kSleep_ms; }));
}

}  // namespace
}  // namespace parley::node::testing
