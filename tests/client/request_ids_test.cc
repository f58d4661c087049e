#include "client/request_ids.h"

#include <gtest/gtest.h>

#include "base/uuid7.h"

namespace parley::client {
namespace {

TEST(RequestIds, ByTheServersTimeOnceItIsKnown) {
  std::int64_t now = 1'000'000;
  RequestIds ids([&now] { return now; });
  EXPECT_EQ(base::parse_request_id(ids.make())->unix_ms(), 1'000'000);
  ids.learn(5'000'000);
  now += 7;
  EXPECT_EQ(base::parse_request_id(ids.make())->unix_ms(), 5'000'007);
  EXPECT_NE(ids.make(), ids.make());
}

}  // namespace
}  // namespace parley::client
