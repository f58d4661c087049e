#include "node/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hex.h"
#include "node/founding.h"

namespace parley::node {

Admission::Admission(raft::Member self, std::vector<ListedNode> listed, base::ClusterId cluster_id,
                     raft::Configuration members)
    : self_(self), listed_(std::move(listed)), cluster_id_(cluster_id), members_(std::move(members)) {}

void Admission::joined(const base::ClusterId& cluster_id) {
  const std::scoped_lock lock(mutex_);
  cluster_id_ = cluster_id;
}

void Admission::set_members(const raft::Configuration& members) {
  const std::scoped_lock lock(mutex_);
  members_ = members;
}

std::expected<void, std::string> Admission::check_member(const raft::Member& peer) const {
  for (const auto* members : {&members_.voters, &members_.outgoing_voters, &members_.learners}) {
    const auto known = std::ranges::find(*members, peer.id, &raft::Member::id);
    if (known == members->end()) {
      continue;
    }
    if (*known == peer) {
      return {};
    }
    return std::unexpected(fmt::format(
        "node {} is known here as incarnation {:016x}, not {:016x}: its log was lost or replaced, so it is "
        "refused as a voter until it is taken in again",
        peer.id.value(), known->incarnation.value(), peer.incarnation.value()));
  }
  return std::unexpected(fmt::format("node {} is no member of this cluster", peer.id.value()));
}

std::expected<void, std::string> Admission::check(const Hello& hello) const {
  if (hello.self.id == self_.id) {
    return std::unexpected(fmt::format("both ends say that they are node {}", self_.id.value()));
  }
  const std::scoped_lock lock(mutex_);
  const bool has_state = !cluster_id_.is_none();
  if (has_state && hello.has_state() && hello.cluster_id != cluster_id_) {
    return std::unexpected(fmt::format("node {} is of cluster {}, this one of cluster {}",
                                       hello.self.id.value(), base::to_string(hello.cluster_id),
                                       base::to_string(cluster_id_)));
  }
  if (has_state) {
    return check_member(hello.self);
  }
  // Whoever has state is heard: this node waits to be taken in by it.
  if (hello.has_state()) {
    return {};
  }
  if (hello.founders != listed_) {
    return std::unexpected(fmt::format("the --cluster lists differ: node {} has \"{}\", node {} has \"{}\"",
                                       self_.id.value(), describe(listed_), hello.self.id.value(),
                                       describe(hello.founders)));
  }
  return {};
}

}  // namespace parley::node
