#include "base/uuid7.h"

#include <cstddef>

#include "base/hex.h"

namespace parley::base {
namespace {

constexpr std::size_t kTextChars = 36;

constexpr bool is_dash_place(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

}  // namespace

std::int64_t RequestId::unix_ms() const {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    ms = (ms << 8) | bytes[i];
  }
  return ms;
}

RequestId make_request_id(std::int64_t unix_ms, const std::array<std::uint8_t, 10>& random) {
  RequestId id;
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>((unix_ms >> (8 * (5 - i))) & 0xff);
  }
  for (std::size_t i = 0; i < random.size(); ++i) {
    id.bytes[6 + i] = random[i];
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x70);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::expected<RequestId, std::string> parse_request_id(std::string_view text) {
  if (text.size() != kTextChars) {
    return std::unexpected("a request_id is a UUIDv7 of 36 characters, not " + std::to_string(text.size()));
  }
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_place(i) != (text[i] == '-')) {
      return std::unexpected("a request_id is a UUIDv7 written 8-4-4-4-12");
    }
    if (text[i] != '-') {
      digits.push_back(text[i]);
    }
  }
  const auto raw = from_hex(digits);
  if (!raw || raw->size() != 16) {
    return std::unexpected("a request_id is a UUIDv7 in hexadecimal digits");
  }
  RequestId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>((*raw)[i]);
  }
  if ((id.bytes[6] >> 4) != 7 || (id.bytes[8] >> 6) != 2) {
    return std::unexpected("a request_id is a UUID of version 7 (RFC 9562)");
  }
  return id;
}

std::string to_string(const RequestId& id) {
  const std::string digits =
      to_hex(std::string_view(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()));
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" +
         digits.substr(16, 4) + "-" + digits.substr(20);
}

}  // namespace parley::base
