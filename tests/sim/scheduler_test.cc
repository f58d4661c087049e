#include "sim/scheduler.h"

#include <gtest/gtest.h>

#include <vector>

namespace parley::sim {
namespace {

TEST(Scheduler, runs_in_order_of_time_then_of_scheduling) {
  Scheduler scheduler;
  std::vector<int> ran;
  scheduler.at(Time(20), [&] { ran.push_back(3); });
  scheduler.at(Time(10), [&] {
    ran.push_back(1);
    scheduler.after(Duration(10), [&] { ran.push_back(4); });
  });
  scheduler.at(Time(10), [&] { ran.push_back(2); });
  while (scheduler.run_next()) {
  }
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(scheduler.now(), Time(20));
  EXPECT_EQ(scheduler.events_run(), 4U);
}

TEST(Rng, draws_the_same_from_the_same_seed) {
  Rng one(7);
  Rng two(7);
  Rng other(8);
  EXPECT_EQ(one.next(), two.next());
  EXPECT_NE(one.next(), other.next());
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t drawn = one.between(3, 5);
    EXPECT_TRUE(drawn >= 3 && drawn <= 5);
  }
}

}  // namespace
}  // namespace parley::sim
