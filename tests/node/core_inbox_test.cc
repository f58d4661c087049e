// When the core thread is woken, and when not.
#include "node/core_inbox.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace parley::node {
namespace {

using namespace std::chrono_literals;
using Urgency = CoreInbox::Urgency;

constexpr bool kGathers = true;
// Nobody waits that long: whoever does was not woken.
constexpr auto kForever = 60s;

std::chrono::steady_clock::time_point after(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

bool push(CoreInbox& inbox, std::uint64_t number, Urgency urgency) {
  CoreEvent event = Persisted{number};
  return inbox.try_push(std::move(event), urgency);
}

std::vector<std::uint64_t> numbers(const std::deque<CoreEvent>& events) {
  std::vector<std::uint64_t> found;
  for (const CoreEvent& event : events) {
    found.push_back(std::get<Persisted>(event).batch_number);
  }
  return found;
}

TEST(CoreInbox, WhatGathersWaitsForWhatIsUrgentAndKeepsItsPlace) {
  CoreInbox inbox(10);
  ASSERT_TRUE(push(inbox, 1, Urgency::gathers));
  const auto deadline = after(20ms);
  inbox.wait_until(deadline, kGathers, kForever);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline) << "a write alone does not end a gathering";
  ASSERT_TRUE(push(inbox, 2, Urgency::urgent));
  ASSERT_TRUE(push(inbox, 3, Urgency::gathers));
  inbox.wait_until(after(kForever), kGathers, kForever);
  EXPECT_EQ(numbers(inbox.take()), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(CoreInbox, WithoutABatchUnderWayEverythingWakes) {
  CoreInbox inbox(10);
  auto waits = std::async(std::launch::async, [&inbox] {
    while (true) {
      inbox.wait_until(after(kForever), !kGathers, kForever);
      if (auto events = inbox.take(); !events.empty()) {
        return numbers(events);
      }
    }
  });
  ASSERT_TRUE(push(inbox, 7, Urgency::gathers));
  EXPECT_EQ(waits.get(), (std::vector<std::uint64_t>{7}));
  ASSERT_TRUE(push(inbox, 8, Urgency::gathers));
  inbox.wait_until(after(kForever), !kGathers, kForever);  // does not wait for what is there
  EXPECT_EQ(numbers(inbox.take()), (std::vector<std::uint64_t>{8}));
}

TEST(CoreInbox, WakesAGatheringCoreForTheEndOfItsBatch) {
  CoreInbox inbox(10);
  auto waits = std::async(std::launch::async, [&inbox] {
    inbox.wait_until(after(kForever), kGathers, kForever);
    return numbers(inbox.take());
  });
  ASSERT_TRUE(push(inbox, 1, Urgency::gathers));
  ASSERT_TRUE(push(inbox, 2, Urgency::urgent));
  EXPECT_EQ(waits.get(), (std::vector<std::uint64_t>{1, 2}));
}

TEST(CoreInbox, AWriteWaitsForABatchOnlySoLong) {
  CoreInbox inbox(10);
  ASSERT_TRUE(push(inbox, 1, Urgency::gathers));
  const auto earliest = after(5ms);
  inbox.wait_until(after(kForever), kGathers, 5ms);
  EXPECT_GE(std::chrono::steady_clock::now(), earliest);
  EXPECT_EQ(numbers(inbox.take()), (std::vector<std::uint64_t>{1}));
  // One that comes later still wakes at once.
  auto waits = std::async(std::launch::async, [&inbox] {
    inbox.wait_until(after(kForever), kGathers, 1ms);
    return numbers(inbox.take());
  });
  EXPECT_EQ(waits.wait_for(5ms), std::future_status::timeout);
  ASSERT_TRUE(push(inbox, 2, Urgency::gathers));
  EXPECT_EQ(waits.get(), (std::vector<std::uint64_t>{2}));
}

TEST(CoreInbox, IsBoundedAndCloses) {
  CoreInbox inbox(1);
  ASSERT_TRUE(push(inbox, 1, Urgency::urgent));
  EXPECT_FALSE(push(inbox, 2, Urgency::urgent));
  auto waits = std::async(std::launch::async, [&inbox] { return inbox.push_waiting(Persisted{3}); });
  EXPECT_EQ(numbers(inbox.take()), (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(waits.get());
  inbox.close();
  EXPECT_FALSE(push(inbox, 4, Urgency::urgent));
  inbox.wait_until(after(kForever), kGathers, kForever);  // closed: nothing is waited for
  EXPECT_EQ(numbers(inbox.take()), (std::vector<std::uint64_t>{3}));
}

}  // namespace
}  // namespace parley::node
