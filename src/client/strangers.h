// Strangers (private): the servers that are no use to a call or a watch whatever their state: a port that
// takes no clients' calls, a node of another cluster. The other servers are asked instead; what the strangers
// say is the answer only once no other server is left.
// Owned by: one call, or one watch. Its thread alone.
#pragma once

#include <cstddef>
#include <map>

#include "base/error.h"
#include "client/attempt.h"

namespace parley::client {

class Strangers {
 public:
  explicit Strangers(std::size_t servers) : servers_(servers) {}

  // How an attempt at `server` failed. What it said before counts no longer.
  void note(std::size_t server, const AttemptError& attempt);

  [[nodiscard]] bool are_all() const { return found_.size() == servers_; }
  // What this server said, if it is a stranger.
  [[nodiscard]] const base::Error* find(std::size_t server) const;
  // What to tell where they are all: a node's own words, if one is among them.
  [[nodiscard]] AttemptError answer() const;

 private:
  std::size_t servers_;
  std::map<std::size_t, base::Error> found_;
};

}  // namespace parley::client
