// Founder: how a cluster comes to be (design.md, rule 1). Passive: hears Hellos, says what to do. Its rules:
//   1. Only the lowest id of the `--cluster` list founds, and only when every other listed node has said, in
//   its present
//      life, "no state" with the same list.
//   2. A node that has once heard of a listed peer with state never founds: it waits to be taken in.
//   3. Entry 1 is offered only once it is stored here, and only to a (id, incarnation) that it names and that
//   says that
//      it has no state.
//   4. A node takes an offer only if it has no state and the offer names it in its present incarnation.
// Owned by: the core loop. Core thread alone.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/peer_message.h"
#include "raft/types.h"

namespace parley::node {

// Random bytes for a founding, from the OS.
struct FoundingSecrets {
  base::ClusterId cluster_id;
  std::string state_seed;  // 32 bytes
};

class Founder {
 public:
  // `listed`: the `--cluster` list, sorted by id; empty: this node founds nothing and waits. A list of this
  // node alone is a cluster of one. `stored`: entry 1, if this node's log has it.
  Founder(raft::Member self, std::vector<ListedNode> listed, std::optional<raft::Founding> stored);

  void heard(const Hello& hello);
  // The link is down: what this peer said need not be so any more.
  void lost(const raft::Member& peer);
  // The peer takes this node's messages / does not take this node as it is, and why.
  void accepted_by(const raft::Member& peer);
  void refused_by(base::NodeId peer, std::string reason);

  // Entry 1 to be stored now, if all of rule 1 holds. At most once.
  [[nodiscard]] std::optional<raft::Founding> decide(const FoundingSecrets& secrets);
  // Whether an offer is to be stored (rule 4).
  [[nodiscard]] bool takes(const raft::Founding& offer) const;
  // Entry 1 is on this node's disk.
  void stored(const raft::Founding& founding);
  [[nodiscard]] bool has_state() const { return stored_.has_value(); }
  [[nodiscard]] std::size_t heard_count() const { return heard_.size(); }
  // Who is to be offered entry 1 now; each of its lives once for each Hello.
  [[nodiscard]] std::vector<raft::Member> take_offers();
  // There was no link to take it: made again next time. (A Hello is heard before its link is up, and there
  // may be no other.)
  void not_offered(const raft::Member& peer);

  // For people: what is being waited for, or why this node is not taken in. Empty: nothing.
  [[nodiscard]] std::string trouble() const;

 private:
  [[nodiscard]] bool is_listed(base::NodeId id) const;
  [[nodiscard]] std::vector<base::NodeId> not_ready() const;

  raft::Member self_;
  std::vector<ListedNode> listed_;
  std::optional<raft::Founding> stored_;
  bool decided_ = false;
  std::set<base::NodeId> have_state_;             // listed peers that were heard to have state, ever
  std::map<base::NodeId, Hello> heard_;           // without state, link up
  std::map<base::NodeId, std::string> refusals_;  // by whom, why
  std::vector<raft::Member> offers_;
};

// "1=10.0.0.1:7701,2=…", as `--cluster` is written.
[[nodiscard]] std::string describe(const std::vector<ListedNode>& listed);

}  // namespace parley::node
