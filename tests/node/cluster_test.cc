// A cluster that works: it is founded, elects, takes writes at every node, and survives the loss of nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/cluster.h"

namespace parley::node::testing {
namespace {

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
  const TestUser anna = cluster.make_user(1, "anna");
  ASSERT_TRUE(cluster.write(2, cluster.message(anna, anna, "before")));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.stop(id);
  }
  cluster.start_all();
  EXPECT_TRUE(cluster.write_until_known(3, cluster.message(anna, anna, "after")));
  EXPECT_THAT(cluster.inbox(1, ReadMode::linearizable, anna), ElementsAre("before", "after"));
}

}  // namespace
}  // namespace parley::node::testing
