// The count of watch_load finds what is planted.
#include "watch_load/tally.h"

#include <gtest/gtest.h>

namespace parley::bench {
namespace {

TEST(Tally, ExactIsClean) {
  EXPECT_TRUE(compare({3, 5, 9}, {3, 5, 9}).is_clean());
  EXPECT_TRUE(compare({}, {}).is_clean());
}

TEST(Tally, APlantedGapIsMissing) { EXPECT_EQ(compare({3, 5, 9}, {3, 9}), (Tally{.missing = 1})); }

TEST(Tally, APlantedRepeatIsFound) {
  EXPECT_EQ(compare({3, 5, 9}, {3, 5, 5, 9}), (Tally{.repeated = 1}));
  EXPECT_EQ(compare({3, 5, 9}, {3, 5, 9, 3}), (Tally{.repeated = 1})) << "a resume that went back";
}

TEST(Tally, WhatComesLateIsBothARepeatAndMissing) {
  EXPECT_EQ(compare({3, 5, 9}, {5, 3, 9}), (Tally{.missing = 1, .repeated = 1}));
}

TEST(Tally, SomebodyElsesEventIsUnexpected) {
  EXPECT_EQ(compare({3, 9}, {3, 5, 9}), (Tally{.unexpected = 1}));
}

}  // namespace
}  // namespace parley::bench
