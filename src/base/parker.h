// Parker: lets one thread sleep until another wakes it, or a deadline. A wake before the sleep is kept, once.
// One system call to sleep and one to wake a sleeper, none otherwise; a condition variable of glibc takes
// three, since its mutex counts as contended after every wait. Owned by: the queue of the thread that sleeps.
// wait_until: that thread alone; wake: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace parley::base {

class Parker {
 public:
  // By the monotonic clock. May return early for no reason: look again at what is waited for.
  void wait_until(std::chrono::steady_clock::time_point deadline);
  void wait() { wait_until(std::chrono::steady_clock::time_point::max()); }

  void wake();

 private:
  enum State : std::uint32_t { idle, woken, asleep };

  std::atomic<std::uint32_t> state_{idle};
};

}  // namespace parley::base
