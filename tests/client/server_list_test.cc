#include "client/server_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

constexpr SkipTimes kSkip{.first = milliseconds(100), .most = milliseconds(300)};

std::vector<std::size_t> picks(ServerList& servers, ServerList::Time now, int count) {
  std::vector<std::size_t> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(servers.pick(now));
  }
  return result;
}

TEST(ServerList, SpreadsInTurn) {
  ServerList servers(3, 4, kSkip);
  EXPECT_THAT(picks(servers, {}, 6), ElementsAre(1, 2, 0, 1, 2, 0));
}

TEST(ServerList, SkipsOneThatFailedForAWhileThenTwiceAsLong) {
  ServerList servers(3, 0, kSkip);
  ServerList::Time now{std::chrono::hours(1)};
  servers.failed(1, now);
  EXPECT_THAT(picks(servers, now, 4), ElementsAre(0, 2, 0, 2));
  now += milliseconds(100);
  EXPECT_THAT(picks(servers, now, 3), ElementsAre(0, 1, 2));
  servers.failed(1, now);
  EXPECT_THAT(picks(servers, now + milliseconds(199), 3), ElementsAre(0, 2, 0));
  servers.succeeded(1);
  EXPECT_THAT(picks(servers, now, 3), ElementsAre(1, 2, 0));
}

TEST(ServerList, WhenAllFailedTheOneThatMayBeBackFirst) {
  ServerList servers(2, 0, kSkip);
  const ServerList::Time now{std::chrono::hours(1)};
  servers.failed(0, now);
  servers.failed(1, now + milliseconds(10));
  EXPECT_FALSE(servers.any_well(now));
  EXPECT_EQ(servers.pick(now), 0U);
  EXPECT_EQ(servers.pick(now, 0), 1U);
}

TEST(ServerList, AvoidedOnlyWhereThereIsAnother) {
  ServerList one(1, 0, kSkip);
  EXPECT_EQ(one.pick({}, 0), 0U);
  ServerList two(2, 0, kSkip);
  const ServerList::Time now{std::chrono::hours(1)};
  EXPECT_EQ(two.pick(now, 0), 1U);
  two.failed(1, now);
  EXPECT_EQ(two.pick(now, 0), 0U);
}

}  // namespace
}  // namespace parley::client
