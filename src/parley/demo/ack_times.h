// AckTimes: when writes were acknowledged: how many in each tenth of a second, and how long nothing was.
// A value. Owned by: Talk, which guards it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace parley::demo {

using Time = std::chrono::steady_clock::time_point;

// One column of the strip chart.
inline constexpr std::chrono::milliseconds kColumn{100};

// Which column a moment falls into; columns never move.
[[nodiscard]] constexpr std::int64_t column_of(Time time) { return time.time_since_epoch() / kColumn; }

class AckTimes {
 public:
  void add(Time time);

  // The newest `count` columns that are over at `now`, oldest first.
  [[nodiscard]] std::vector<std::uint32_t> columns(Time now, std::size_t count) const;
  // The longest time without an acknowledgement that lies between `from` and `to`, at least in part.
  [[nodiscard]] std::chrono::milliseconds longest_silence(Time from, Time to) const;
  [[nodiscard]] std::size_t count_since(Time from) const;

 private:
  std::deque<Time> times_;  // rising, of the last two minutes
};

}  // namespace parley::demo
