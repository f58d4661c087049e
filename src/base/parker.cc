#include "base/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace parley::base {
namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

// FUTEX_WAIT_BITSET takes a point in time of the monotonic clock, which is libstdc++'s steady_clock.
// futex(2).
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::steady_clock::time_point deadline) {
  timespec until{};
  const bool is_endless = deadline == std::chrono::steady_clock::time_point::max();
  if (!is_endless) {
    const auto since_boot =
        std::max(deadline.time_since_epoch(), std::chrono::steady_clock::duration::zero());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    until.tv_sec = seconds.count();
    until.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, is_endless ? nullptr : &until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

void Parker::wait_until(std::chrono::steady_clock::time_point deadline) {
  std::uint32_t before = idle;
  if (state_.compare_exchange_strong(before, asleep, std::memory_order_acquire)) {
    futex_wait(state_, asleep, deadline);
  }
  // Woken before, meanwhile, or not at all: the wake is used up.
  state_.exchange(idle, std::memory_order_acquire);
}

void Parker::wake() {
  if (state_.exchange(woken, std::memory_order_release) == asleep) {
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

}  // namespace parley::base
