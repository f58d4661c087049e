#include "parley/demo/picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "parley/demo/strip_chart.h"
#include "parley/terminal_text.h"

namespace parley::demo {
namespace {

constexpr std::size_t kMargin = 2;
constexpr std::size_t kMostColumns = 100;
constexpr std::size_t kMostChartRows = 6;

Style style_of(Condition condition) {
  switch (condition) {
    case Condition::runs:
      return Style::good;
    case Condition::stopping:
    case Condition::stopped:
    case Condition::frozen:
    case Condition::cut_off:
      return Style::warn;
    default:
      return Style::bad;
  }
}

StyledLine node_line(const NodeRow& row) {
  StyledLine line = {{row.is_chosen ? "> " : "  ", Style::accent},
                     {fmt::format("{:<5}", row.node), Style::bold},
                     {fmt::format("{:<9}", to_string(row.condition)), style_of(row.condition)}};
  // A node that is frozen or killed says nothing; one that was cut off may still believe that it leads.
  if (!row.status) {
    line.push_back({fmt::format("{:<10}{:>5}{:>11}{:>11}   ", "-", "-", "-", "-"), Style::dim});
  } else {
    const bool claims = row.status->role == Role::leader;
    const char* const role = claims                                ? (row.is_leader ? "LEADER" : "(leader)")
                             : row.status->role == Role::candidate ? "candidate"
                                                                   : "follower";
    line.push_back({fmt::format("{:<10}", role), row.is_leader ? Style::bold : Style::plain});
    line.push_back({fmt::format("{:>5}{:>11}{:>11}   ", row.status->term, grouped(row.status->commit_index),
                                grouped(row.status->applied_index)),
                    Style::plain});
  }
  line.push_back({row.page, row.condition == Condition::runs ? Style::accent : Style::dim});
  return line;
}

std::string sides(std::size_t width, const std::string& left, const std::string& right) {
  const std::size_t used = width_of(left) + width_of(right);
  return left + std::string(width > used ? width - used : 1, ' ') + right;
}

void add_table(const Picture& picture, std::vector<StyledLine>& lines) {
  lines.push_back({{fmt::format("  {:<5}{:<9}{:<10}{:>5}{:>11}{:>11}   {}", "node", "state", "role", "term",
                                "commit", "applied", "page"),
                    Style::dim}});
  for (const NodeRow& row : picture.rows) {
    lines.push_back(node_line(row));
  }
}

// Bars; where nothing was acknowledged the floor is a red line.
StyledLine floor_line(const std::vector<std::uint32_t>& columns) {
  StyledLine line = {{std::string(kMargin, ' ')}};
  for (const std::uint32_t count : columns) {
    const Style style = count == 0 ? Style::bad : Style::dim;
    const char* const text = count == 0 ? "·" : "─";
    if (line.size() > 1 && line.back().style == style) {
      line.back().text += text;
    } else {
      line.push_back({text, style});
    }
  }
  return line;
}

void add_chart(const Picture& picture, std::size_t width, std::size_t rows, std::size_t mark_rows,
               std::vector<StyledLine>& lines) {
  const std::string margin(kMargin, ' ');
  std::vector<Mark> marks;
  const std::int64_t first = picture.newest_column - static_cast<std::int64_t>(picture.columns.size()) + 1;
  for (const ChartMark& mark : picture.marks) {
    if (mark.column >= first) {
      marks.push_back({.column = static_cast<std::size_t>(mark.column - first), .text = mark.text});
    }
  }
  const std::uint32_t highest = picture.columns.empty() ? 0 : *std::ranges::max_element(picture.columns);
  const std::uint32_t top = std::max(picture.usual_column * 3 / 2, std::max(highest, 1U));
  lines.push_back(
      {{margin + sides(width, "acknowledged writes per 100 ms", fmt::format("{}/s", picture.last_second)),
        Style::dim}});
  for (const std::string& row : mark_lines(marks, width, mark_rows)) {
    lines.push_back({{margin + row, Style::warn}});
  }
  for (const std::string& row : bars(picture.columns, top, rows)) {
    lines.push_back({{margin}, {row, Style::good}});
  }
  lines.push_back(floor_line(picture.columns));
  lines.push_back({{margin + time_line(width), Style::dim}});
}

void add_counts(const Picture& picture, std::vector<StyledLine>& lines) {
  const Counts& counts = picture.counts;
  lines.push_back(
      {{fmt::format("  sent {}   acknowledged {}   shown to the other {}", grouped(counts.sent),
                    grouped(counts.acknowledged), grouped(counts.delivered)),
        Style::bold},
       {fmt::format("   waiting {}", counts.open), counts.open > 4 ? Style::warn : Style::plain}});
  lines.push_back(
      {{fmt::format("  refused {}   unknown, asked again, now known {}", counts.refused, counts.resolved)},
       {"   " + cli::terminal_line(picture.last_words), Style::dim}});
}

void add_keys(const Picture& picture, std::size_t width, std::vector<StyledLine>& lines) {
  if (!picture.hint.empty()) {
    lines.push_back({{"  " + picture.hint, Style::accent}});
    return;
  }
  struct Key {
    const char* key;
    const char* what;
  };
  constexpr Key kKeys[] = {{"l", "kill the leader"}, {"k", "kill another"},   {"f", "freeze one"},
                           {"c", "cut one off"},     {"b", "bring one back"}, {"s", "stop all, start again"},
                           {"1-5", "choose a node"}, {"q", "count and quit"}};
  StyledLine line = {{" "}};
  std::size_t used = 1;
  for (const Key& key : kKeys) {
    const std::string text = fmt::format(" {} {} ", key.key, key.what);
    if (used + text.size() + 1 > width && used > 1) {
      lines.push_back(std::move(line));
      line = {{" "}};
      used = 1;
    }
    line.push_back({fmt::format(" {} ", key.key), Style::key});
    line.push_back({fmt::format(" {} ", key.what)});
    used += text.size() + 1;
  }
  lines.push_back(std::move(line));
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string clock_text(std::chrono::milliseconds age) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

std::string story_text(const StoryLine& line) {
  std::string text = fmt::format("{}  {}", clock_text(line.age), line.text);
  if (line.silence) {
    text += fmt::format(": no write acknowledged for {} ms", line.silence->count());
  }
  return text;
}

std::size_t chart_width(const ScreenSize& size) {
  return std::clamp<std::size_t>(size.columns > 2 * kMargin ? size.columns - 2 * kMargin : 1, 1,
                                 kMostColumns);
}

std::vector<StyledLine> lay_out(const Picture& picture, const ScreenSize& size) {
  const std::size_t width = chart_width(size);
  std::vector<StyledLine> keys;
  add_keys(picture, size.columns, keys);
  std::vector<StyledLine> lines;
  lines.push_back({{sides(std::min(size.columns, width + 2 * kMargin), "  " + picture.title,
                          clock_text(picture.age) + "  "),
                    Style::bold}});
  lines.emplace_back();
  add_table(picture, lines);
  lines.push_back({{"  " + picture.banner, picture.banner_is_bad ? Style::bad : Style::accent}});
  // Title, table, marks, floor, axis, counts, two blanks and the keys stand; bars and story share the rest.
  const std::size_t fixed = lines.size() + 4 + 3 + 1 + keys.size();
  const std::size_t rest = size.rows > fixed ? size.rows - fixed : 0;
  const std::size_t mark_rows = rest >= 8 ? 2 : 1;
  const std::size_t bar_rows = std::clamp<std::size_t>(rest / 2, 1, kMostChartRows);
  add_chart(picture, width, bar_rows, mark_rows, lines);
  add_counts(picture, lines);
  lines.emplace_back();
  const std::size_t used = bar_rows + mark_rows - 1;
  const std::size_t story_rows = rest > used ? rest - used : 0;
  const std::size_t told = std::min(story_rows, picture.story.size());
  for (std::size_t i = picture.story.size() - told; i < picture.story.size(); ++i) {
    lines.push_back({{"  " + cli::terminal_line(story_text(picture.story[i]))}});
  }
  lines.resize(lines.size() + (story_rows - told));
  std::ranges::copy(keys, std::back_inserter(lines));
  if (lines.size() > size.rows) {
    lines.resize(size.rows);
  }
  return lines;
}

std::string one_line(const Picture& picture) {
  std::string line = fmt::format("{}  {:>4}/s acknowledged, {} in all, waiting {};", clock_text(picture.age),
                                 picture.last_second, picture.counts.acknowledged, picture.counts.open);
  for (const NodeRow& row : picture.rows) {
    line += fmt::format(" {}:{}{}", row.node, to_string(row.condition), row.is_leader ? "(leader)" : "");
  }
  return line;
}

}  // namespace parley::demo
