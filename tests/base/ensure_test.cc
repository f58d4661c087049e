#include "base/ensure.h"

#include <gtest/gtest.h>

namespace parley::base {
namespace {

TEST(EnsureDeathTest, StopsTheProcessInEveryBuild) {
  ensure(true, "holds");
  EXPECT_DEATH(ensure(false, "commit never goes back"), "commit never goes back");
}

}  // namespace
}  // namespace parley::base
