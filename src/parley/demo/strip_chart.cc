#include "parley/demo/strip_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace parley::demo {
namespace {

constexpr std::array<const char*, 9> kEighths = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::size_t kTickColumns = 20;  // two seconds

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U; }

}  // namespace

std::vector<std::string> bars(const std::vector<std::uint32_t>& counts, std::uint32_t top, std::size_t rows) {
  std::vector<std::string> lines(rows);
  const std::size_t full = rows * 8;
  for (const std::uint32_t count : counts) {
    // Rounded up: what is not zero is seen.
    std::size_t eighths = (std::size_t{count} * full + top - 1) / std::max(top, 1U);
    eighths = std::min(eighths, full);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t below = (rows - 1 - row) * 8;
      lines[row] += kEighths[eighths <= below ? 0 : std::min<std::size_t>(eighths - below, 8)];
    }
  }
  return lines;
}

std::vector<std::string> mark_lines(const std::vector<Mark>& marks, std::size_t width, std::size_t rows) {
  std::vector<std::string> lines(rows);
  for (const Mark& mark : marks) {
    if (mark.column >= width || rows == 0) {
      continue;
    }
    auto line = std::ranges::find_if(
        lines, [&mark](const std::string& it) { return it.empty() || width_of(it) < mark.column; });
    if (line == lines.end()) {
      line = std::prev(lines.end());
    }
    *line = fitted(*line, mark.column);
    *line += clipped(fmt::format("▼ {}", mark.text), width - mark.column);
  }
  for (std::string& line : lines) {
    line = fitted(line, width);
  }
  return lines;
}

std::string time_line(std::size_t width) {
  std::string line;
  for (std::size_t column = width % kTickColumns; column < width; column += kTickColumns) {
    const std::string label = fmt::format("|-{} s", (width - column) / 10);
    if (column >= line.size() && column + label.size() + 4 <= width) {
      line.append(column - line.size(), ' ');
      line += label;
    }
  }
  if (width >= 3) {
    line.append(width - 3 - std::min(line.size(), width - 3), ' ');
    line += "now";
  }
  return line;
}

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char byte) { return !is_continuation(byte); }));
}

std::string clipped(const std::string& text, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_continuation(text[at]) && ++characters > width) {
      return text.substr(0, at);
    }
  }
  return text;
}

std::string fitted(const std::string& text, std::size_t width) {
  std::string line = clipped(text, width);
  line.append(width - width_of(line), ' ');
  return line;
}

}  // namespace parley::demo
