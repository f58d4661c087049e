// Private to node: a point of the clock that runs since the machine was started, also while it sleeps. The
// monotonic one stands still then: what was learnt before would be told as fresh on waking.
#pragma once

#include <chrono>
#include <ctime>

namespace parley::node {

// std::chrono has no such clock.
struct BootClock {};
using BootTime = std::chrono::time_point<BootClock, std::chrono::nanoseconds>;

[[nodiscard]] inline BootTime boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return BootTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace parley::node
