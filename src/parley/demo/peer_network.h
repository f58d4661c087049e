// PeerNetwork: what lies between the nodes of the demo, so that one of them can be cut off from the others.
// Owned by: Nodes. The main thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/address.h"

namespace parley::demo {

struct NodeAddresses {
  base::Address client;
  base::Address http;
  base::Address peer;    // where it listens for the others
  base::Address listed;  // where the others find it
};

// Nodes are numbered from 1.
class PeerNetwork {
 public:
  virtual ~PeerNetwork() = default;
  [[nodiscard]] virtual const NodeAddresses& addresses(int node) const = 0;
  // Words in front of the node's command, and flags behind it.
  [[nodiscard]] virtual std::vector<std::string> wrapper(int node) const = 0;
  [[nodiscard]] virtual std::vector<std::string> flags(int node) const = 0;
  virtual void started(int node, pid_t process) = 0;
  // From now on nothing passes between this node and the others, and nobody is told.
  virtual void cut(int node) = 0;
  virtual void heal(int node) = 0;
};

}  // namespace parley::demo
