#include "parley/demo/styled.h"

#include "base/ensure.h"
#include "parley/demo/strip_chart.h"

namespace parley::demo {
namespace {

const char* sequence(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::dim:
      return "\x1b[2m";
    case Style::bold:
      return "\x1b[1m";
    case Style::good:
      return "\x1b[32m";
    case Style::bad:
      return "\x1b[1;31m";
    case Style::warn:
      return "\x1b[33m";
    case Style::accent:
      return "\x1b[36m";
    case Style::key:
      return "\x1b[7m";
  }
  base::stop_process("a style is one of its enumerators");
}

}  // namespace

std::string plain_text(const StyledLine& line) {
  std::string text;
  for (const Piece& piece : line) {
    text += piece.text;
  }
  return text;
}

std::string render(const StyledLine& line, std::size_t width, bool color) {
  std::string out;
  std::size_t used = 0;
  for (const Piece& piece : line) {
    const std::string text = clipped(piece.text, width - used);
    used += width_of(text);
    const bool styled = color && piece.style != Style::plain && !text.empty();
    out += styled ? sequence(piece.style) + text + "\x1b[0m" : text;
  }
  return out;
}

}  // namespace parley::demo
