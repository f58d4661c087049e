#include "rpc/steady_timer.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <vector>

namespace parley::rpc {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(SteadyTimer, RunsTasksInTheOrderOfTheirTimes) {
  SteadyTimer timer;
  std::mutex mutex;
  std::vector<int> order;
  std::promise<void> done;
  const auto note = [&](int number) {
    const std::scoped_lock lock(mutex);
    order.push_back(number);
  };
  timer.run_after(hours(1), [&] { note(4); });
  // Far apart: one that is asked for late still comes before the next.
  timer.run_after(milliseconds(2'000), [&] {
    note(3);
    done.set_value();
  });
  timer.run_after(milliseconds(1'000), [&] { note(2); });
  timer.run_after(milliseconds(10), [&] { note(1); });
  done.get_future().wait();
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(SteadyTimer, ATaskMayAskForTheNext) {
  SteadyTimer timer;
  std::promise<void> done;
  timer.run_after(milliseconds(0), [&] { timer.run_after(milliseconds(0), [&] { done.set_value(); }); });
  done.get_future().wait();
}

TEST(SteadyTimer, WhatIsNotDueIsDroppedAtTheEnd) {
  const auto held = std::make_shared<int>(1);
  SteadyTimer timer;
  timer.run_after(hours(1), [held] {});
  timer.stop();
  EXPECT_EQ(held.use_count(), 1);
  timer.run_after(milliseconds(0), [held] {});
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace parley::rpc
