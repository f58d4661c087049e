#include "node/house_pace.h"

#include <gtest/gtest.h>

namespace parley::node::testing {
namespace {

using std::chrono::milliseconds;

SteadyTime at_ms(std::int64_t ms) { return SteadyTime(milliseconds(ms)); }

// Rule 9, and what a load that never ends must not make of it.
TEST(HousePace, IdleAtOnceAndUnderLoadOneStepASecond) {
  HousePace pace;
  pace.proposed(at_ms(10'000));
  EXPECT_TRUE(pace.is_time(true, at_ms(10'001))) << "nobody waits for it";
  EXPECT_FALSE(pace.is_time(false, at_ms(10'999)));
  EXPECT_TRUE(pace.is_time(false, at_ms(11'000)));
  pace.proposed(at_ms(11'000));
  EXPECT_FALSE(pace.is_time(false, at_ms(11'500)));
}

}  // namespace
}  // namespace parley::node::testing
