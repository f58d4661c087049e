#include "node/address_book.h"

#include <algorithm>
#include <set>
#include <utility>

namespace parley::node {
namespace {

constexpr std::size_t kMaxHeard = 64;

}  // namespace

bool AddressBook::is_listed(base::NodeId id) const {
  return std::ranges::find(listed_, id, &ListedNode::id) != listed_.end();
}

void AddressBook::heard(const Hello& hello) {
  std::erase_if(heard_, [&](const Heard& known) { return known.id == hello.self.id; });
  heard_.push_back({hello.self.id, hello.peer_address});
  if (heard_.size() > kMaxHeard) {
    // Whoever is there says Hello again; a listed peer is not pushed out by made-up ids.
    const auto oldest =
        std::ranges::find_if(heard_, [this](const Heard& known) { return !is_listed(known.id); });
    heard_.erase(oldest == heard_.end() ? heard_.begin() : oldest);
  }
}

void AddressBook::logged(std::vector<chat::NodeAddresses> nodes) {
  for (chat::NodeAddresses& node : nodes) {
    const base::NodeId id = node.node;
    logged_[id] = std::move(node);
  }
}

std::vector<std::string> AddressBook::addresses(base::NodeId id) const {
  std::vector<std::string> result;
  const auto add = [&result](const std::string& address) {
    if (!address.empty() && std::ranges::find(result, address) == result.end()) {
      result.push_back(address);
    }
  };
  if (const auto heard = std::ranges::find(heard_, id, &Heard::id); heard != heard_.end()) {
    add(heard->address);
  }
  if (const auto listed = std::ranges::find(listed_, id, &ListedNode::id); listed != listed_.end()) {
    add(listed->peer_address);
  }
  if (const auto* logged = find_logged(id)) {
    add(logged->peer_address);
  }
  return result;
}

std::string AddressBook::peer_address(base::NodeId id) const {
  const std::vector<std::string> all = addresses(id);
  return all.empty() ? "" : all.front();
}

const chat::NodeAddresses* AddressBook::find_logged(base::NodeId id) const {
  const auto found = logged_.find(id);
  return found == logged_.end() ? nullptr : &found->second;
}

std::vector<PeerAddresses> AddressBook::peers(const raft::Configuration& members, bool has_state) const {
  std::set<base::NodeId> ids;
  if (has_state) {
    for (const auto* list : {&members.voters, &members.outgoing_voters, &members.learners}) {
      for (const raft::Member& member : *list) {
        ids.insert(member.id);
      }
    }
  } else {
    for (const ListedNode& node : listed_) {
      ids.insert(node.id);
    }
  }
  ids.erase(self_);
  std::vector<PeerAddresses> result;
  for (const base::NodeId id : ids) {
    std::vector<std::string> all = addresses(id);
    if (!all.empty()) {
      result.push_back({id, std::move(all)});
    }
  }
  return result;
}

}  // namespace parley::node
