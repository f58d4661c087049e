#include "client/connection.h"

#include <gtest/gtest.h>

namespace parley::client {
namespace {

// A deadline of the wall clock moves with it, by days.
TEST(Connection, DeadlinesAreNotOfTheWallClock) {
  constexpr std::chrono::hours kHour{1};
  const gpr_timespec deadline = to_grpc_deadline(std::chrono::steady_clock::now() + kHour);
  EXPECT_EQ(deadline.clock_type, GPR_CLOCK_MONOTONIC);
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
  EXPECT_LE(left.tv_sec, std::chrono::seconds(kHour).count());
  EXPECT_GT(left.tv_sec, std::chrono::seconds(kHour).count() / 2);
}

TEST(Connection, ADeadlineThatHasPassedStaysInThePast) {
  const gpr_timespec deadline = to_grpc_deadline(std::chrono::steady_clock::now() - std::chrono::seconds(5));
  EXPECT_LT(gpr_time_cmp(deadline, gpr_now(GPR_CLOCK_MONOTONIC)), 0);
}

}  // namespace
}  // namespace parley::client
