// Fixed-width integers as little-endian bytes, for formats of our own (log records, stamps, keys).
// Owned by: nobody. Any thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <string>
#include <string_view>

namespace parley::base {

static_assert(std::endian::native == std::endian::little, "formats are written as the machine has them");

template <std::unsigned_integral T>
void append_le(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

// `at` + sizeof(T) must lie within `bytes`; the caller has checked the length.
template <std::unsigned_integral T>
[[nodiscard]] T read_le(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

}  // namespace parley::base
