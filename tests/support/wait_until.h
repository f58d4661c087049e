// wait_until: the one place where a test waits in steps for something that it cannot be told of.
// Owned by: nobody. Any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <thread>

namespace parley::testing {

// True as soon as `condition()` is; false if it is not within `deadline`, which is generous: a busy machine
// is no bug.
template <std::predicate Condition>
[[nodiscard]] bool wait_until(const Condition& condition,
                              std::chrono::milliseconds deadline = std::chrono::minutes(1),
                              std::chrono::milliseconds step = std::chrono::milliseconds(10)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) {
      return false;
    }
    std::this_thread::sleep_for(step);
  }
  return true;
}

}  // namespace parley::testing
