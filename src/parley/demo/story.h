// Story: what was done to the cluster, and how long it was silent after it. A value. Owned by: Demo.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parley/demo/acts.h"
#include "parley/demo/picture.h"

namespace parley::demo {

class Story {
 public:
  using Silence = std::function<std::chrono::milliseconds(Time from, Time to)>;

  explicit Story(Time begin) : begin_(begin) {}

  void add(Event event) { told_.push_back({.event = std::move(event)}); }
  // Measures the silence after each fault, until the next one or for a while.
  void measure(Time now, const Silence& silence);

  [[nodiscard]] std::vector<StoryLine> lines() const;
  [[nodiscard]] std::vector<ChartMark> marks() const;
  [[nodiscard]] std::size_t size() const { return told_.size(); }

 private:
  struct Told {
    Event event;
    std::optional<std::chrono::milliseconds> silence;
    bool is_measured = false;  // for good
  };
  Time begin_;
  std::vector<Told> told_;
};

}  // namespace parley::demo
