#include "base/parker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace parley::base {
namespace {

using std::chrono::steady_clock;

TEST(Parker, AWakeBeforeTheWaitIsKeptOnce) {
  Parker parker;
  parker.wake();
  parker.wake();
  parker.wait();  // returns: it was woken
  const auto until = steady_clock::now() + std::chrono::milliseconds(20);
  while (steady_clock::now() < until) {  // and that is used up
    parker.wait_until(until);
  }
}

TEST(Parker, APastDeadlineDoesNotWait) {
  Parker parker;
  parker.wait_until(steady_clock::time_point::min());
  parker.wait_until(steady_clock::now());
}

// Every number is seen, however wake and sleep fall together.
TEST(Parker, NoWakeIsLost) {
  constexpr int kRounds = 20'000;
  Parker sleeper;
  Parker answer;
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  std::thread thread([&] {
    for (int round = 1; round <= kRounds; ++round) {
      while (asked.load() < round) {
        sleeper.wait();
      }
      answered.store(round);
      answer.wake();
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    asked.store(round);
    sleeper.wake();
    while (answered.load() < round) {
      answer.wait();
    }
  }
  thread.join();
  EXPECT_EQ(answered.load(), kRounds);
}

}  // namespace
}  // namespace parley::base
