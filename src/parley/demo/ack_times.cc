#include "parley/demo/ack_times.h"

#include <algorithm>

namespace parley::demo {
namespace {

constexpr std::chrono::minutes kKept{2};

}  // namespace

void AckTimes::add(Time time) {
  // Several threads took their times before they came here.
  times_.push_back(times_.empty() ? time : std::max(time, times_.back()));
  while (times_.front() + kKept < time) {
    times_.pop_front();
  }
}

std::vector<std::uint32_t> AckTimes::columns(Time now, std::size_t count) const {
  std::vector<std::uint32_t> columns(count, 0);
  const std::int64_t end = column_of(now);
  const std::int64_t begin = end - static_cast<std::int64_t>(count);
  for (auto time = times_.rbegin(); time != times_.rend() && column_of(*time) >= begin; ++time) {
    if (column_of(*time) < end) {
      ++columns[static_cast<std::size_t>(column_of(*time) - begin)];
    }
  }
  return columns;
}

std::chrono::milliseconds AckTimes::longest_silence(Time from, Time to) const {
  Time::duration longest{0};
  auto next = std::ranges::upper_bound(times_, from);
  Time last = next == times_.begin() ? from : *std::prev(next);
  while (next != times_.end() && last < to) {
    longest = std::max(longest, std::min(*next, to) - last);
    last = *next++;
  }
  if (last < to) {
    longest = std::max(longest, to - last);
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

std::size_t AckTimes::count_since(Time from) const {
  return static_cast<std::size_t>(times_.end() - std::ranges::lower_bound(times_, from));
}

}  // namespace parley::demo
