// Picture: all that the demo's screen shows, and how it is laid out. A value; it knows no terminal.
// Owned by: Demo.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parley/demo/nodes.h"
#include "parley/demo/record.h"
#include "parley/demo/status_poller.h"
#include "parley/demo/styled.h"

namespace parley::demo {

struct NodeRow {
  int node = 0;
  Condition condition = Condition::runs;
  std::optional<NodeStatus> status;
  std::string page;
  bool is_leader = false;
  bool is_chosen = false;
};

struct ChartMark {
  std::int64_t column = 0;  // of column_of()
  std::string text;
  bool is_fault = false;
};

struct StoryLine {
  std::chrono::milliseconds age{};  // since the demo began
  std::string text;
  std::optional<std::chrono::milliseconds> silence;  // the longest around it
};

struct Picture {
  std::string title;
  std::chrono::seconds age{};
  std::vector<NodeRow> rows;
  std::vector<std::uint32_t> columns;  // acknowledged writes, newest last
  std::int64_t newest_column = 0;      // column_of() the last of `columns`
  std::uint32_t usual_column = 10;     // what a column holds when all is well
  std::vector<ChartMark> marks;
  Counts counts;
  std::size_t last_second = 0;
  std::string last_words;
  std::vector<StoryLine> story;  // oldest first
  std::string banner;            // what to say in one line; empty: nothing
  bool banner_is_bad = false;
  std::string hint;  // of the script; empty: a person has the keys
};

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// How many columns of the strip chart fit.
[[nodiscard]] std::size_t chart_width(const ScreenSize& size);

// The lines of the screen, at most `size.rows`; none ends the last row with a line break.
[[nodiscard]] std::vector<StyledLine> lay_out(const Picture& picture, const ScreenSize& size);

// One line for where there is no terminal.
[[nodiscard]] std::string one_line(const Picture& picture);

// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);
[[nodiscard]] std::string clock_text(std::chrono::milliseconds age);  // "01:05"
[[nodiscard]] std::string story_text(const StoryLine& line);

}  // namespace parley::demo
