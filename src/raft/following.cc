// The follower's side of replication.h.
#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "raft/codec.h"
#include "raft/election.h"
#include "raft/index_math.h"
#include "raft/replication.h"

namespace parley::raft {
namespace {

// The sender leads this term; whatever this node was, it follows.
void follow(Machine& machine, const Member& leader) {
  base::ensure(machine.leading() == nullptr, "a term has one leader");
  auto* follower = std::get_if<Follower>(&machine.role);
  if (follower == nullptr || !follower->leader) {
    become_follower(machine, machine.term(), leader);
    return;
  }
  base::ensure(*follower->leader == leader, "a term has one leader");
  follower->last_leader_contact = machine.now;
  machine.election_elapsed = 0;
}

// Entries come without a gap, terms never fall, and none is newer than the sender's term.
bool is_well_formed(const Message& message, const AppendRequest& request) {
  Index index = request.prev_index;
  Term term = request.prev_term;
  for (const Entry& entry : request.entries) {
    if (entry.index != index.next() || entry.term < term) return false;
    index = entry.index;
    term = entry.term;
  }
  return term <= message.term;
}

void reject(Machine& machine, const Message& message, const AppendRequest& request) {
  const Index hint =
      machine.log.last_with_term_at_most(std::min(request.prev_index, machine.log.last()), request.prev_term);
  machine.send(message.from, AppendResponse{.rejected = true,
                                            .rejected_prev = request.prev_index,
                                            .hint_index = hint,
                                            .hint_term = machine.log.term_at(hint).value_or(Term())});
}

// Appends what the log does not have yet. False: a configuration among it does not decode; nothing of that
// entry or after it was taken.
bool take_entries(Machine& machine, const AppendRequest& request) {
  for (const Entry& entry : request.entries) {
    if (entry.index <= machine.commit) {
      base::ensure(machine.log.term_at(entry.index).value_or(entry.term) == entry.term,
                   "a committed entry is the same in every leader's log");
      continue;
    }
    if (machine.log.matches(entry.index, entry.term)) continue;
    auto brought = configuration_of(entry);
    if (!brought) return false;
    if (entry.index <= machine.log.last()) truncate_log(machine, entry.index);
    append_to_log(machine, entry, std::move(*brought));
  }
  return true;
}

}  // namespace

void handle(Machine& machine, const Message& message, const AppendRequest& request) {
  if (!is_well_formed(message, request)) return;
  follow(machine, message.from);
  const Index end = ahead(request.prev_index, request.entries.size());
  // What is committed here is the same in every leader's log, even where only the compaction point is left.
  if (request.prev_index > machine.commit && !machine.log.matches(request.prev_index, request.prev_term)) {
    reject(machine, message, request);
    return;
  }
  if (!take_entries(machine, request)) return;
  const Index match = std::max(end, std::min(machine.commit, machine.log.last()));
  commit_up_to(machine, std::min(request.commit, match));
  machine.send_once_stored(message.from, AppendResponse{.match_index = match});
}

void handle(Machine& machine, const Message& message, const HeartbeatRequest& request) {
  follow(machine, message.from);
  // The leader names no more than this node has acknowledged in this term.
  if (request.commit <= machine.log.last()) commit_up_to(machine, request.commit);
  if (request.round != 0) machine.send(message.from, HeartbeatResponse{.round = request.round});
}

void handle(Machine& machine, const Message& message, const SnapshotOffer& offer) {
  follow(machine, message.from);
  if (offer.point.index <= machine.commit) {
    machine.send_once_stored(message.from, AppendResponse{.match_index = machine.commit});
    return;
  }
  machine.out.snapshot = SnapshotWanted{.from = message.from, .point = offer.point};
}

}  // namespace parley::raft
