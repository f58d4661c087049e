// Admission: who may speak to this node (design.md, rules 1 and 2). Only nodes of this cluster, in the
// incarnation that the cluster knows; before there is a cluster, only nodes that were started with the same
// list. Owned by: the replica. check: any thread (the transport's); the rest: the core thread.
#pragma once

#include <expected>
#include <mutex>
#include <string>
#include <vector>

#include "node/peer_message.h"
#include "raft/types.h"

namespace parley::node {

class Admission {
 public:
  // `cluster_id` none: this node has no state.
  Admission(raft::Member self, std::vector<ListedNode> listed, base::ClusterId cluster_id,
            raft::Configuration members);

  void joined(const base::ClusterId& cluster_id);
  void set_members(const raft::Configuration& members);

  // The error says why not, for people at either end.
  [[nodiscard]] std::expected<void, std::string> check(const Hello& hello) const;

 private:
  [[nodiscard]] std::expected<void, std::string> check_member(const raft::Member& peer) const;

  const raft::Member self_;
  const std::vector<ListedNode> listed_;
  mutable std::mutex mutex_;
  base::ClusterId cluster_id_;   // guarded by mutex_
  raft::Configuration members_;  // guarded by mutex_
};

}  // namespace parley::node
