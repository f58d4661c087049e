#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <thread>

namespace parley::base {
namespace {

TEST(BoundedQueue, RefusesWhenFullAndLeavesTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue("test", 1);
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.try_push(std::move(second)));
  ASSERT_NE(second, nullptr);  // NOLINT(bugprone-use-after-move): that it is untouched is the point
  EXPECT_EQ(queue.pop_all().size(), 1U);
  EXPECT_TRUE(queue.try_push(std::move(second)));
}

TEST(BoundedQueue, WaitsForRoomAndForItems) {
  BoundedQueue<int> queue("test", 2);
  std::thread producer([&queue] {
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(queue.push_waiting(int{i}));
    }
    queue.close();
  });
  int next = 0;
  for (;;) {
    const std::deque<int> taken = queue.pop_all();
    if (taken.empty()) {
      break;
    }
    EXPECT_LE(taken.size(), 2U);
    for (const int item : taken) {
      EXPECT_EQ(item, next++);
    }
  }
  producer.join();
  EXPECT_EQ(next, 100);
}

TEST(BoundedQueue, DeadlineWithoutItems) {
  BoundedQueue<int> queue("test", 2);
  EXPECT_TRUE(queue.pop_all_until(std::chrono::steady_clock::now()).empty());
}

TEST(BoundedQueue, ClosedRefusesButDrains) {
  BoundedQueue<int> queue("test", 2);
  EXPECT_TRUE(queue.try_push(1));
  queue.close();
  EXPECT_FALSE(queue.try_push(2));
  EXPECT_FALSE(queue.push_waiting(2));
  EXPECT_EQ(queue.pop_all().size(), 1U);
  EXPECT_TRUE(queue.pop_all().empty());
}

}  // namespace
}  // namespace parley::base
