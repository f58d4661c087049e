#include "base/address.h"

#include <charconv>

namespace parley::base {
namespace {

std::unexpected<std::string> wrong(std::string_view text, std::string_view why) {
  std::string message = "\"";
  message.append(text)
      .append("\" is not an address: ")
      .append(why)
      .append("; write HOST:PORT, as 192.0.2.7:7700");
  return std::unexpected(std::move(message));
}

}  // namespace

bool Address::is_loopback() const { return host == "localhost" || host == "::1" || host.starts_with("127."); }

std::expected<Address, std::string> parse_address(std::string_view text, bool allow_port_0) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    std::string without(text.substr(scheme + 3));
    while (without.ends_with('/')) {
      without.pop_back();
    }
    return wrong(text, "it begins with a scheme; leave \"" + std::string(text.substr(0, scheme + 3)) +
                           "\" out and write \"" + without + "\"");
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return wrong(text, "the port is missing");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong(text, "an IPv6 host stands in brackets");
  }
  if (host.empty()) {
    return wrong(text, "the host is missing");
  }
  if (host.find_first_of(" \t\r\n/@,=") != std::string_view::npos) {
    return wrong(text, "the host has a character that no host has");
  }
  unsigned port = 0;
  const auto [end, errc] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (errc != std::errc() || end != port_text.data() + port_text.size() || port > 65535 ||
      (port == 0 && !allow_port_0)) {
    return wrong(text, "the port must be a number from 1 to 65535");
  }
  return Address{std::string(host), static_cast<std::uint16_t>(port)};
}

std::string to_string(const Address& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace parley::base
