#include "base/hex.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace parley::base {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4U]);
    out.push_back(kDigits[byte & 0x0fU]);
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) {
    return std::nullopt;
  }
  std::string out;
  out.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = digit_value(digits[i]);
    const int low = digit_value(digits[i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::string to_string(const ClusterId& id) {
  if (id.is_none()) {
    return {};
  }
  return to_hex(std::string_view(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()));
}

std::optional<ClusterId> parse_cluster_id(std::string_view digits) {
  const auto raw = from_hex(digits);
  ClusterId id;
  if (!raw || raw->size() != id.bytes.size()) {
    return std::nullopt;
  }
  std::ranges::transform(*raw, id.bytes.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

}  // namespace parley::base
