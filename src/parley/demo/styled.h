// StyledLine: text in pieces with a style each, cut to the terminal's width. Owned by: nobody, values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace parley::demo {

enum class Style : std::uint8_t { plain, dim, bold, good, bad, warn, accent, key };

struct Piece {
  std::string text;  // UTF-8, each character one column wide
  Style style = Style::plain;
};
using StyledLine = std::vector<Piece>;

[[nodiscard]] std::string plain_text(const StyledLine& line);
// At most `width` columns, with the terminal's sequences if `color`.
[[nodiscard]] std::string render(const StyledLine& line, std::size_t width, bool color);

}  // namespace parley::demo
