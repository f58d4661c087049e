#include "gateway/origins.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace parley::gateway {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// "name:8080" and "[::1]:8080" without port and brackets.
std::string host_of(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end == std::string_view::npos ? std::string() : lower(host.substr(1, end - 1));
  }
  return lower(host.substr(0, host.find(':')));
}

// What else an address may hold has no place in a header.
bool is_plain(const std::string& host) {
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  });
}

bool is_every_address(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// As a browser writes it: without the port that the scheme stands for.
std::string origin(std::string_view scheme, const base::Address& address) {
  const bool is_default =
      (scheme == "http" && address.port == 80) || (scheme == "https" && address.port == 443);
  const std::string host =
      address.host.contains(':') ? fmt::format("[{}]", lower(address.host)) : lower(address.host);
  return is_default ? fmt::format("{}://{}", scheme, host)
                    : fmt::format("{}://{}:{}", scheme, host, address.port);
}

}  // namespace

Origins::Origins(std::vector<base::Address> own) : own_(std::move(own)) { set_members({}); }

void Origins::set_members(const std::vector<std::string>& http_addresses) {
  if (http_addresses == members_ && !connect_sources_.empty()) {
    return;
  }
  members_ = http_addresses;
  hosts_.clear();
  origins_.clear();
  connect_sources_ = "'self'";
  for (const auto& address : own_) {
    add(address, true);
  }
  for (const auto& text : members_) {
    if (const auto address = base::parse_address(text)) {
      add(*address, true);
    }
  }
}

void Origins::add(const base::Address& address, bool is_source) {
  if (is_every_address(address.host) || address.port == 0 || !is_plain(address.host)) {
    return;
  }
  // A browser takes localhost and 127.0.0.1 for two origins; people do not.
  if (is_source && address.is_loopback()) {
    for (const char* twin : {"localhost", "127.0.0.1"}) {
      add({twin, address.port}, false);
    }
  }
  hosts_.insert(lower(address.host));
  for (const char* scheme : {"http", "https"}) {
    const auto [added, is_new] = origins_.insert(origin(scheme, address));
    // IPv6 addresses have no place in the grammar of policies.
    const bool is_served = (scheme == std::string_view("https")) == (address.port == 443);
    if (is_new && is_served && !address.host.contains(':')) {
      connect_sources_ += ' ' + *added;
    }
  }
}

bool Origins::is_own_host(std::string_view host) const {
  const std::string name = host_of(host);
  return name == "localhost" || is_ip_address(name) || hosts_.contains(name);
}

bool Origins::is_own_origin(std::string_view origin, std::string_view host) const {
  const std::string wanted = lower(origin);
  const std::string own = lower(host);
  return wanted == "http://" + own || wanted == "https://" + own || origins_.contains(wanted);
}

}  // namespace parley::gateway
