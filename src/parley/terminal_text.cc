#include "parley/terminal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace parley::cli {
namespace {

struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t length_bytes = 0;  // 0: the first byte begins no valid UTF-8
};

Decoded decode(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) {
    return {first, 1};
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) {
    return {};
  }
  std::uint32_t code_point = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) {
      return {};
    }
    code_point = (code_point << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  return overlong || surrogate || code_point > 0x10ffff ? Decoded{} : Decoded{code_point, length};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};
// What a terminal obeys, reorders by, or hides.
constexpr Range kUnsafe[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x061c, 0x061c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

constexpr Range kWhiteSpace[] = {
    {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

bool is_in(std::span<const Range> ranges, std::uint32_t code_point) {
  return std::ranges::any_of(ranges, [code_point](const Range range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

bool is_unsafe(std::uint32_t code_point) {
  // The zero-width joiner builds one picture out of several and does no harm.
  return code_point != 0x200d && is_in(kUnsafe, code_point);
}

std::string escaped(std::uint32_t code_point) {
  switch (code_point) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return code_point < 0x100 ? fmt::format("\\x{:02x}", code_point)
                                : fmt::format("\\u{{{:x}}}", code_point);
  }
}

// Calls `on_unsafe(code_point)` or, for a byte that is no UTF-8, `on_byte(byte)` for its replacement.
template <class OnUnsafe, class OnByte>
std::string replace(std::string_view text, const OnUnsafe& on_unsafe, const OnByte& on_byte) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.length_bytes == 0) {
      out += on_byte(static_cast<std::uint8_t>(text.front()));
      text.remove_prefix(1);
      continue;
    }
    if (is_unsafe(next.code_point)) {
      out += on_unsafe(next.code_point);
    } else {
      out += text.substr(0, next.length_bytes);
    }
    text.remove_prefix(next.length_bytes);
  }
  return out;
}

std::string byte_escaped(std::uint8_t byte) { return fmt::format("\\x{:02x}", byte); }

}  // namespace

std::string terminal_line(std::string_view text) { return replace(text, escaped, byte_escaped); }

std::string terminal_block(std::string_view text, std::string_view indent) {
  return replace(
      text,
      [indent](std::uint32_t code_point) {
        if (code_point == '\n') {
          return fmt::format("\n{}", indent);
        }
        return code_point == '\t' ? std::string("    ") : escaped(code_point);
      },
      byte_escaped);
}

std::string terminal_json(std::string_view json) {
  return replace(
      json,
      [](std::uint32_t code_point) {
        if (code_point < 0x10000) {
          return fmt::format("\\u{:04x}", code_point);
        }
        const std::uint32_t rest = code_point - 0x10000;
        return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10U), 0xdc00 + (rest & 0x3ffU));
      },
      [](std::uint8_t) { return std::string("\\ufffd"); });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length_bytes = decode(text).length_bytes;
    if (length_bytes == 0) {
      return false;
    }
    text.remove_prefix(length_bytes);
  }
  return true;
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.length_bytes == 0 || !is_in(kWhiteSpace, next.code_point)) {
      return false;
    }
    text.remove_prefix(next.length_bytes);
  }
  return true;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length_bytes = decode(text).length_bytes;
    out += length_bytes == 0 ? byte_escaped(static_cast<std::uint8_t>(text.front()))
                             : std::string(text.substr(0, length_bytes));
    text.remove_prefix(length_bytes == 0 ? 1 : length_bytes);
  }
  return out;
}

}  // namespace parley::cli
