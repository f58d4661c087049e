// RequestId: a UUIDv7 (RFC 9562, section 5.7), made by the client at the first attempt of a write. Ordered by
// time, then by its random bits, as its 16 bytes are compared. Owned by: nobody, a value. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace parley::base {

struct RequestId {
  std::array<std::uint8_t, 16> bytes{};  // big-endian, as in the text form
  auto operator<=>(const RequestId&) const = default;

  [[nodiscard]] bool is_none() const { return *this == RequestId{}; }
  // Milliseconds since 1970, the first 48 bits.
  [[nodiscard]] std::int64_t unix_ms() const;
};

// `random` fills the 74 random bits (12 of rand_a are taken from its first two bytes, 62 of rand_b from the
// others).
[[nodiscard]] RequestId make_request_id(std::int64_t unix_ms, const std::array<std::uint8_t, 10>& random);

// 8-4-4-4-12 hexadecimal digits, version 7, variant 10; either case. The error says what was wrong.
[[nodiscard]] std::expected<RequestId, std::string> parse_request_id(std::string_view text);

// Lower case, 36 characters.
[[nodiscard]] std::string to_string(const RequestId& id);

}  // namespace parley::base
