// The strip chart: counts as bars of eighths, and marks above them. Owned by: nobody, values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace parley::demo {

// `rows` lines of one character for each count, the top first. What is not zero shows as one eighth at least;
// zero is blank. `top`: the count that fills all rows (at least 1); what is above it fills them too.
[[nodiscard]] std::vector<std::string> bars(const std::vector<std::uint32_t>& counts, std::uint32_t top,
                                            std::size_t rows);

struct Mark {
  std::size_t column = 0;
  std::string text;
};

// `rows` lines of `width` characters with "▼ text" at each mark's column: in the first line where it does not
// touch the mark before it, or else over the end of that one. Marks are sorted by column. Texts are ASCII.
[[nodiscard]] std::vector<std::string> mark_lines(const std::vector<Mark>& marks, std::size_t width,
                                                  std::size_t rows);

// "-8 s      -6 s      ... now" below `width` columns of 100 ms.
[[nodiscard]] std::string time_line(std::size_t width);

// How many columns a terminal needs for UTF-8 text of characters that are one wide.
[[nodiscard]] std::size_t width_of(const std::string& text);
// The first `width` characters.
[[nodiscard]] std::string clipped(const std::string& text, std::size_t width);
// Filled up with blanks, or clipped.
[[nodiscard]] std::string fitted(const std::string& text, std::size_t width);

}  // namespace parley::demo
