// Origins: which names this node answers to, and which web origins belong to its cluster. Against pages of
// strangers: a name that somebody points at this node (DNS rebinding) is refused, and so is what another
// origin's page sends. Private to gateway. Owned by: the router. One thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace parley::gateway {

class Origins {
 public:
  // `own`: where this node listens, and how it is told to others.
  explicit Origins(std::vector<base::Address> own);

  // The members' HTTP addresses as they are known now; what does not parse is left out.
  void set_members(const std::vector<std::string>& http_addresses);

  // A Host header that means a node of this cluster: an IP address (which nobody can point elsewhere),
  // localhost, or the name of a member. Any port: there may be a tunnel or a proxy in front.
  [[nodiscard]] bool is_own_host(std::string_view host) const;

  // An Origin header: the page's own origin as `host` names it, or that of a member.
  [[nodiscard]] bool is_own_origin(std::string_view origin, std::string_view host) const;

  // For connect-src: 'self' and the members.
  [[nodiscard]] const std::string& connect_sources() const { return connect_sources_; }

 private:
  void add(const base::Address& address, bool is_source);

  const std::vector<base::Address> own_;
  std::vector<std::string> members_;
  std::set<std::string, std::less<>> hosts_;    // in lower case, without port
  std::set<std::string, std::less<>> origins_;  // "http://host:port"
  std::string connect_sources_;
};

}  // namespace parley::gateway
