// Private to chat: the addresses that nodes announce.
#pragma once

#include <vector>

#include "chat/command.h"
#include "chat/sqlite.h"

namespace parley::chat {

class NodeTable {
 public:
  explicit NodeTable(SQLite::Database& db)
      : put_(db,
             "INSERT OR REPLACE INTO node (id, incarnation, peer_address, client_address, http_address) "
             "VALUES (?, ?, ?, ?, ?)"),
        all_(db, "SELECT id, incarnation, peer_address, client_address, http_address FROM node ORDER BY id") {
  }

  void put(const AnnounceNode& node) {
    Run(put_, node.node, node.incarnation, node.peer_address, node.client_address, node.http_address)
        .finish();
  }
  [[nodiscard]] std::vector<AnnounceNode> all() {
    std::vector<AnnounceNode> nodes;
    Run run(all_);
    while (run.step()) {
      nodes.push_back({.node = run.id<base::NodeId>(0),
                       .incarnation = run.id<base::Incarnation>(1),
                       .peer_address = run.text(2),
                       .client_address = run.text(3),
                       .http_address = run.text(4)});
    }
    return nodes;
  }

 private:
  Prepared put_;
  Prepared all_;
};

}  // namespace parley::chat
