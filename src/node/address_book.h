// AddressBook: where each peer can be reached: as its own Hello says, as the log says (AnnounceNode), as the
// `--cluster` list says. All are tried; who answers proves who it is (a cluster whose addresses all changed
// meets again). Passive. Owned by: the core loop. Core thread alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chat/reader.h"
#include "node/peer_message.h"
#include "node/transport.h"
#include "raft/types.h"

namespace parley::node {

class AddressBook {
 public:
  AddressBook(base::NodeId self, std::vector<ListedNode> listed) : self_(self), listed_(std::move(listed)) {}

  void heard(const Hello& hello);
  void logged(std::vector<chat::NodeAddresses> nodes);
  // Without state: those of the list. With state: the members.
  [[nodiscard]] std::vector<PeerAddresses> peers(const raft::Configuration& members, bool has_state) const;
  // Nothing: not announced.
  [[nodiscard]] const chat::NodeAddresses* find_logged(base::NodeId id) const;
  [[nodiscard]] std::string peer_address(
      base::NodeId id) const;  // the one most likely right; empty: none known

 private:
  struct Heard {
    base::NodeId id;
    std::string address;
  };

  [[nodiscard]] bool is_listed(base::NodeId id) const;
  [[nodiscard]] std::vector<std::string> addresses(base::NodeId id) const;

  const base::NodeId self_;
  const std::vector<ListedNode> listed_;
  std::vector<Heard> heard_;  // the newest last; bounded: without state, any id can say Hello
  std::map<base::NodeId, chat::NodeAddresses> logged_;
};

}  // namespace parley::node
