#include "node/founding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace parley::node {
namespace {

constexpr std::size_t kMaxHeard = 64;  // beyond it only listed nodes

bool contains(const std::vector<raft::Member>& members, const raft::Member& member) {
  return std::ranges::find(members, member) != members.end();
}

bool names(const raft::Configuration& configuration, const raft::Member& member) {
  return contains(configuration.voters, member) || contains(configuration.learners, member);
}

}  // namespace

Founder::Founder(raft::Member self, std::vector<ListedNode> listed, std::optional<raft::Founding> stored)
    : self_(self), listed_(std::move(listed)), stored_(std::move(stored)) {}

bool Founder::is_listed(base::NodeId id) const {
  return std::ranges::find(listed_, id, &ListedNode::id) != listed_.end();
}

void Founder::heard(const Hello& hello) {
  const base::NodeId peer = hello.self.id;
  if (hello.has_state()) {
    heard_.erase(peer);
    if (is_listed(peer)) {
      have_state_.insert(peer);
    }
    return;
  }
  // Anybody can say Hello, under any id.
  if (is_listed(peer) || heard_.contains(peer) || heard_.size() < kMaxHeard) {
    heard_[peer] = hello;
  }
  if (stored_ && names(stored_->configuration, hello.self) && !contains(offers_, hello.self)) {
    offers_.push_back(hello.self);
  }
}

void Founder::lost(const raft::Member& peer) {
  const auto found = heard_.find(peer.id);
  if (found != heard_.end() && found->second.self == peer) {
    heard_.erase(found);
  }
}

void Founder::accepted_by(const raft::Member& peer) { refusals_.erase(peer.id); }

void Founder::refused_by(base::NodeId peer, std::string reason) { refusals_[peer] = std::move(reason); }

std::vector<base::NodeId> Founder::not_ready() const {
  std::vector<base::NodeId> missing;
  for (const ListedNode& node : listed_) {
    if (node.id == self_.id) {
      continue;
    }
    const auto found = heard_.find(node.id);
    if (found == heard_.end() || found->second.founders != listed_) {
      missing.push_back(node.id);
    }
  }
  return missing;
}

std::optional<raft::Founding> Founder::decide(const FoundingSecrets& secrets) {
  const bool is_founder = !listed_.empty() && listed_.front().id == self_.id;
  if (stored_ || decided_ || !is_founder || !have_state_.empty() || !not_ready().empty()) {
    return std::nullopt;
  }
  decided_ = true;
  raft::Founding founding{.cluster_id = secrets.cluster_id, .state_seed = secrets.state_seed};
  founding.configuration.voters.push_back(self_);
  for (const ListedNode& node : listed_) {
    if (node.id != self_.id) {
      founding.configuration.voters.push_back(heard_.at(node.id).self);
    }
  }
  return founding;
}

bool Founder::takes(const raft::Founding& offer) const {
  return !stored_ && !decided_ && names(offer.configuration, self_);
}

void Founder::stored(const raft::Founding& founding) {
  stored_ = founding;
  for (const auto& [peer, hello] : heard_) {
    if (names(founding.configuration, hello.self)) {
      offers_.push_back(hello.self);
    }
  }
}

std::vector<raft::Member> Founder::take_offers() { return std::exchange(offers_, {}); }

void Founder::not_offered(const raft::Member& peer) {
  if (!contains(offers_, peer)) {
    offers_.push_back(peer);
  }
}

std::string Founder::trouble() const {
  if (stored_) {
    return "";
  }
  if (!refusals_.empty()) {
    const auto& [peer, reason] = *refusals_.begin();
    return fmt::format("not taken in by node {}: {}", peer.value(), reason);
  }
  if (!have_state_.empty()) {
    return fmt::format("this node has no state, but node {} has: waiting to be taken in",
                       have_state_.begin()->value());
  }
  std::vector<std::uint32_t> missing;
  for (const base::NodeId id : not_ready()) {
    missing.push_back(id.value());
  }
  if (!missing.empty()) {
    return fmt::format("the cluster is not founded yet: waiting for {} {}",
                       missing.size() == 1 ? "node" : "nodes", fmt::join(missing, ", "));
  }
  if (listed_.empty()) {
    return "not a member of a cluster yet";
  }
  return "the cluster is not founded yet";
}

std::string describe(const std::vector<ListedNode>& listed) {
  std::string text;
  for (const ListedNode& node : listed) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", node.id.value(), node.peer_address);
  }
  return text;
}

}  // namespace parley::node
