// No wall clock can move cluster time, and one bad wall clock cannot move the stamp's (must-pass.md, J16).
#include "node/cluster_clock.h"

#include <gtest/gtest.h>

#include "node/stamped_entry.h"

namespace parley::node::testing {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kToday_ms = 1'790'000'000'000;
constexpr std::int64_t kYear_ms = 365LL * 24 * 3600 * 1000;

SteadyTime at(std::int64_t ms) { return SteadyTime(milliseconds(ms)); }

TEST(ClusterClock, GoesOnFromTheLastInTheLogByMonotonicTime) {
  ClusterClock clock({.cluster_time_ms = 500, .wall_unix_ms = 1});
  clock.own_wall(kToday_ms, at(10'000));
  clock.became_leader(at(10'000));
  EXPECT_EQ(clock.stamp(at(10'000)).cluster_time_ms, 500);
  clock.own_wall(kToday_ms + kYear_ms, at(10'100));
  EXPECT_EQ(clock.stamp(at(10'100)).cluster_time_ms, 600);
}

TEST(ClusterClock, NeverGoesBackBehindWhatAnotherLeaderStamped) {
  ClusterClock clock({});
  clock.saw({.cluster_time_ms = 9000, .wall_unix_ms = 0});
  clock.became_leader(at(100));
  clock.saw({.cluster_time_ms = 9500, .wall_unix_ms = 0});
  EXPECT_EQ(clock.stamp(at(150)).cluster_time_ms, 9500);
  EXPECT_EQ(clock.stamp(at(1000)).cluster_time_ms, 9900);
}

// The log may refuse the command that it is on. Then a change of leader would still lose all that has passed.
TEST(ClusterClock, AStampKeepsTimeOnlyOnceItIsInTheLog) {
  ClusterClock clock({});
  clock.became_leader(at(0));
  const chat::Stamp refused = clock.stamp(at(5000));
  EXPECT_EQ(refused.cluster_time_ms, 5000);
  EXPECT_EQ(clock.unstamped_ms(at(5000)), 5000);
  const chat::Stamp taken = clock.stamp(at(6000));
  clock.saw(taken);
  EXPECT_EQ(clock.unstamped_ms(at(6000)), 0);
}

TEST(ClusterClock, J16ALeaderAYearAheadStampsWhatTheOthersSay) {
  ClusterClock clock({});
  clock.own_wall(kToday_ms + kYear_ms, at(0));
  clock.voter_wall(base::NodeId(2), kToday_ms, at(0));
  clock.voter_wall(base::NodeId(3), kToday_ms + 20, at(0));
  EXPECT_EQ(clock.stamp(at(1000)).wall_unix_ms, kToday_ms + 20 + 1000);
}

TEST(ClusterClock, J16TwoDaysBackIsOutvotedAsWell) {
  ClusterClock clock({});
  clock.own_wall(kToday_ms - 2LL * 24 * 3600 * 1000, at(0));
  clock.voter_wall(base::NodeId(2), kToday_ms, at(0));
  clock.voter_wall(base::NodeId(3), kToday_ms + 20, at(0));
  EXPECT_EQ(clock.stamp(at(0)).wall_unix_ms, kToday_ms);
}

// One of three nodes is dead: two clocks, of which one is wrong. The log knows which.
TEST(ClusterClock, J16OfTwoClocksTheOneThatIsBehindTheLogIsNotTaken) {
  constexpr std::int64_t kTwoDays_ms = 2LL * 24 * 3600 * 1000;
  ClusterClock back({.cluster_time_ms = 500, .wall_unix_ms = kToday_ms});
  back.own_wall(kToday_ms + 1000 - kTwoDays_ms, at(0));
  back.voter_wall(base::NodeId(2), kToday_ms + 1000, at(0));
  EXPECT_EQ(back.stamp(at(0)).wall_unix_ms, kToday_ms + 1000);
  ClusterClock ahead({.cluster_time_ms = 500, .wall_unix_ms = kToday_ms});
  ahead.own_wall(kToday_ms + 1000 + kTwoDays_ms, at(0));
  ahead.voter_wall(base::NodeId(2), kToday_ms + 1000, at(0));
  EXPECT_EQ(ahead.stamp(at(0)).wall_unix_ms, kToday_ms + 1000);
}

// The log is a little further than the right clock, whose last answer was under way for less long than the
// one before.
TEST(ClusterClock, J16AnAnswerThatCameLateDoesNotBringInTheClockThatIsAYearAhead) {
  ClusterClock clock({});
  clock.own_wall(kToday_ms + kYear_ms, at(0));
  clock.voter_wall(base::NodeId(2), kToday_ms, at(0));
  clock.became_leader(at(0));
  clock.saw(clock.stamp(at(39)));
  clock.voter_wall(base::NodeId(2), kToday_ms + 30, at(40));
  EXPECT_EQ(clock.stamp(at(40)).wall_unix_ms, kToday_ms + 30);
}

TEST(ClusterClock, AFollowerSaysWhatTheLeaderSaid) {
  ClusterClock clock({});
  clock.own_wall(kToday_ms + kYear_ms, at(0));
  EXPECT_EQ(clock.wall_unix_ms(at(0), false), kToday_ms + kYear_ms);
  clock.leader_wall(kToday_ms, at(0));
  EXPECT_EQ(clock.wall_unix_ms(at(50), false), kToday_ms + 50);
  EXPECT_EQ(clock.wall_unix_ms(at(50), true), kToday_ms + 50) << "a new leader goes on with it";
}

TEST(StampedEntry, ComesBackAsItWas) {
  const chat::Stamp stamp{.cluster_time_ms = 5, .wall_unix_ms = -7};
  const auto entry = make_stamped_entry(stamp, "body");
  const auto read = read_stamped_entry(entry.view());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->stamp, stamp);
  EXPECT_EQ(read->command, "body");
  EXPECT_FALSE(read_stamped_entry("fifteen bytes !"));
}

}  // namespace
}  // namespace parley::node::testing
