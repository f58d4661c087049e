#include "client/server_list.h"

#include <algorithm>

#include "base/ensure.h"

namespace parley::client {

ServerList::ServerList(std::size_t count, std::size_t start, SkipTimes skip)
    : servers_(count), next_(count == 0 ? 0 : start % count), skip_(skip) {
  base::ensure(count > 0, "a client has at least one server");
  for (Server& server : servers_) {
    server.next_skip = skip_.first;
  }
}

std::size_t ServerList::pick(Time now, std::optional<std::size_t> avoid) {
  std::optional<std::size_t> soonest;
  for (std::size_t step = 0; step < servers_.size(); ++step) {
    const std::size_t at = (next_ + step) % servers_.size();
    if (at == avoid && servers_.size() > 1) {
      continue;
    }
    if (servers_[at].skipped_until <= now) {
      next_ = (at + 1) % servers_.size();
      return at;
    }
    if (!soonest || servers_[at].skipped_until < servers_[*soonest].skipped_until) {
      soonest = at;
    }
  }
  // `avoid` alone is well: better that one than one that failed a moment ago.
  if (avoid && servers_[*avoid].skipped_until <= now) {
    return *avoid;
  }
  next_ = (*soonest + 1) % servers_.size();
  return *soonest;
}

void ServerList::failed(std::size_t server, Time now) {
  Server& it = servers_[server];
  it.skipped_until = now + it.next_skip;
  it.next_skip = std::min(it.next_skip * 2, skip_.most);
}

void ServerList::succeeded(std::size_t server) {
  servers_[server].skipped_until = Time{};
  servers_[server].next_skip = skip_.first;
}

bool ServerList::any_well(Time now) const {
  return std::ranges::any_of(servers_, [now](const Server& it) { return it.skipped_until <= now; });
}

}  // namespace parley::client
