// Address: HOST:PORT, as every flag and every announced address of Parley is written.
// Owned by: nobody, a value. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace parley::base {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Address&) const = default;

  [[nodiscard]] bool is_loopback() const;  // 127.0.0.0/8, ::1 or localhost
};

// HOST:PORT, or [IPV6]:PORT. A scheme in front, an empty host and a port outside 1..65535 are refused; the
// error says what was wrong and how it is written. Port 0 is allowed only with `allow_port_0` ("choose one").
[[nodiscard]] std::expected<Address, std::string> parse_address(std::string_view text,
                                                                bool allow_port_0 = false);

[[nodiscard]] std::string to_string(const Address& address);

}  // namespace parley::base
