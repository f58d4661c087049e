// Freshness: as of when a stale read of this node is right: the latest moment at which this node asked a
// question that a leader, confirmed by its quorum, answered with a position that the readable state has by
// now. Owned by: the replica. Any thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "node/boot_time.h"

namespace parley::node {

class Freshness {
 public:
  // `clock`: goes on while the machine sleeps, as what it knows gets older. Called on any thread.
  explicit Freshness(std::function<BootTime()> clock) : clock_(std::move(clock)) {}

  [[nodiscard]] BootTime now() const { return clock_(); }
  void as_of(BootTime asked_at) {
    const std::scoped_lock lock(mutex_);
    asked_at_ = asked_at_ ? std::max(*asked_at_, asked_at) : asked_at;
  }
  // Taken before a snapshot begins, it is true of the snapshot.
  [[nodiscard]] std::optional<BootTime> asked_at() const {
    const std::scoped_lock lock(mutex_);
    return asked_at_;
  }
  [[nodiscard]] std::optional<std::uint32_t> age_ms(std::optional<BootTime> asked_at) const {
    if (!asked_at) {
      return std::nullopt;
    }
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now() - *asked_at).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(age, 0, UINT32_MAX));
  }

 private:
  const std::function<BootTime()> clock_;
  mutable std::mutex mutex_;
  std::optional<BootTime> asked_at_;
};

}  // namespace parley::node
