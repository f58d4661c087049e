#include "parley/demo/story.h"

namespace parley::demo {
namespace {

constexpr std::chrono::seconds kMeasured{20};

}  // namespace

void Story::measure(Time now, const Silence& silence) {
  std::optional<Time> next_fault;
  for (auto told = told_.rbegin(); told != told_.rend() && !told->is_measured; ++told) {
    if (!told->event.is_fault) {
      continue;
    }
    const Time end = next_fault.value_or(told->event.time + kMeasured);
    told->silence = silence(told->event.time, std::min(now, end));
    told->is_measured = now > end;
    next_fault = told->event.time;
  }
}

std::vector<StoryLine> Story::lines() const {
  std::vector<StoryLine> lines;
  for (const Told& told : told_) {
    lines.push_back({.age = std::chrono::duration_cast<std::chrono::milliseconds>(told.event.time - begin_),
                     .text = told.event.text,
                     .silence = told.silence});
  }
  return lines;
}

std::vector<ChartMark> Story::marks() const {
  std::vector<ChartMark> marks;
  for (const Told& told : told_) {
    if (!told.event.mark.empty()) {
      marks.push_back(
          {.column = column_of(told.event.time), .text = told.event.mark, .is_fault = told.event.is_fault});
    }
  }
  return marks;
}

}  // namespace parley::demo
