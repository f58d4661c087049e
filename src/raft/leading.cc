// The leader's side of replication.h: term start, proposals, commit, time.
#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "raft/codec.h"
#include "raft/election.h"
#include "raft/index_math.h"
#include "raft/quorum.h"
#include "raft/reads.h"
#include "raft/replication.h"

namespace parley::raft {
namespace {

Progress* find_peer(Leader& leader, const Member& member) {
  const auto peer = std::ranges::find(leader.peers, member, &Progress::member);
  return peer == leader.peers.end() ? nullptr : &*peer;
}

const Progress* find_peer(const Leader& leader, const Member& member) {
  const auto peer = std::ranges::find(leader.peers, member, &Progress::member);
  return peer == leader.peers.end() ? nullptr : &*peer;
}

// One Progress for everybody in the configuration but this node; whoever stays keeps what is known. Who
// leaves is still sent the configuration without it, so that it knows; its answers count for nothing.
void sync_peers(Machine& machine, Leader& leader, Index next) {
  std::vector<Progress> peers;
  for (const Member& member : all_members(machine.configuration())) {
    if (member != machine.self() && find_peer(leader, member) == nullptr) {
      peers.push_back({.member = member, .next = next, .last_heard = machine.now});
    }
  }
  for (Progress& known : leader.peers) {
    known.leaving = !is_member(machine.configuration(), known.member);
    peers.push_back(std::move(known));
  }
  std::ranges::sort(peers, std::ranges::less{}, &Progress::member);
  leader.peers = std::move(peers);
}

Index append_own(Machine& machine, Leader& leader, EntryKind kind, Payload data,
                 std::optional<Configuration> brought) {
  const Index index = machine.log.last().next();
  Entry entry{.index = index, .term = machine.term(), .kind = kind, .data = std::move(data)};
  leader.uncommitted_bytes += entry_size_bytes(entry);
  append_to_log(machine, std::move(entry), std::move(brought));
  return index;
}

Index append_configuration(Machine& machine, Leader& leader, Configuration next) {
  Payload data(encode(next));
  const Index index = append_own(machine, leader, EntryKind::configuration, std::move(data), std::move(next));
  sync_peers(machine, leader, index);
  return index;
}

bool has_uncommitted_change(const Machine& machine) {
  return machine.membership.current_index(machine.log.compaction().index) > machine.commit;
}

// Some of them hear nothing more from this leader: their news cannot wait for later entries.
void replicate_last_words(Machine& machine) {
  const bool may_wait = std::exchange(machine.commit_news_may_wait, false);
  replicate(machine);
  machine.commit_news_may_wait = may_wait;
}

// Answers that count for transfers: the target has the whole log.
void hand_over_if_ready(Machine& machine, const Leader& leader) {
  if (!leader.transfer) return;
  const Progress* target = find_peer(leader, leader.transfer->target);
  if (target != nullptr && target->match == machine.log.last()) machine.send(target->member, TimeoutNow{});
}

// The committed configuration has no vote for this leader (Raft thesis 4.2.2): everybody hears of the commit,
// the voter that has most is asked to go on, and this node steps back.
void leave_leadership(Machine& machine, const Leader& leader) {
  replicate_last_words(machine);
  const Progress* best = nullptr;
  for (const Progress& peer : leader.peers) {
    if (!is_voter(machine.configuration(), peer.member)) continue;
    if (best == nullptr || peer.match > best->match) best = &peer;
  }
  if (best != nullptr && best->match == machine.log.last()) machine.send(best->member, TimeoutNow{});
  become_follower(machine, machine.term(), std::nullopt);
}

void after_commit(Machine& machine, Leader& leader) {
  if (has_uncommitted_change(machine)) return;
  if (std::ranges::any_of(leader.peers, &Progress::leaving)) {
    replicate_last_words(machine);
    std::erase_if(leader.peers, [](const Progress& peer) { return peer.leaving; });
  }
  const Configuration& current = machine.configuration();
  if (is_joint(current)) {
    if (current.leaves_joint_by_itself) append_configuration(machine, leader, leave_joint(current));
  } else if (!is_voter(current, machine.self())) {
    leave_leadership(machine, leader);
  }
}

}  // namespace

void start_leading(Machine& machine) {
  base::ensure(std::holds_alternative<Candidate>(machine.role), "only a candidate wins an election");
  Leader& leader = machine.role.emplace<Leader>();
  leader.term_start = machine.log.last().next();
  sync_peers(machine, leader, leader.term_start);
  append_own(machine, leader, EntryKind::no_op, Payload(), std::nullopt);
}

bool quorum_is_in_touch(const Machine& machine, const Leader& leader) {
  const std::uint64_t heard = quorum_value(machine.configuration(), [&](const Member& voter) {
    if (voter == machine.self()) return machine.now;
    const Progress* peer = find_peer(leader, voter);
    return peer == nullptr ? 0 : peer->last_heard;
  });
  return machine.now - heard < machine.config.timing.election_timeout_ticks;
}

bool term_has_commit(const Machine& machine, const Leader& leader) {
  return machine.commit >= leader.term_start;
}

std::expected<Index, ProposeError> propose_command(Machine& machine, Payload data) {
  Leader* leader = machine.leading();
  if (leader == nullptr) return std::unexpected(ProposeError::not_leader);
  if (leader->transfer) return std::unexpected(ProposeError::transferring);
  if (leader->uncommitted_bytes > 0 && leader->uncommitted_bytes + data.size_bytes() + kEntryOverheadBytes >
                                           machine.config.flow.max_uncommitted_bytes) {
    return std::unexpected(ProposeError::overloaded);
  }
  return append_own(machine, *leader, EntryKind::command, std::move(data), std::nullopt);
}

std::expected<Index, std::string> propose_change(Machine& machine, const Configuration& target) {
  Leader* leader = machine.leading();
  if (leader == nullptr) return std::unexpected("this node does not lead");
  if (leader->transfer) return std::unexpected("leadership is being transferred");
  // A change before the term's first commit can lose to one of another leader (Ongaro, raft-dev, 2015).
  if (!term_has_commit(machine, *leader)) return std::unexpected("no entry of this term is committed yet");
  if (has_uncommitted_change(machine)) return std::unexpected("another change is under way");
  auto next = next_configuration(machine.configuration(), target);
  if (!next) return std::unexpected(next.error());
  return append_configuration(machine, *leader, std::move(*next));
}

void transfer(Machine& machine, const Member& target) {
  Leader* leader = machine.leading();
  if (leader == nullptr || target == machine.self() || !is_voter(machine.configuration(), target)) return;
  if (leader->transfer && leader->transfer->target == target) return;
  leader->transfer = Transfer{.target = target, .started_at = machine.now};
  hand_over_if_ready(machine, *leader);
}

void advance_commit(Machine& machine) {
  Leader* leader = machine.leading();
  if (leader == nullptr) return;
  const Index reached(quorum_value(machine.configuration(), [&](const Member& voter) {
    if (voter == machine.self()) return machine.log.stored().value();
    const Progress* peer = find_peer(*leader, voter);
    return peer == nullptr ? 0 : peer->match.value();
  }));
  // Only entries of the own term are committed by counting (Raft thesis 3.6.2, figure 3.7).
  if (reached <= machine.commit || reached < leader->term_start) return;
  for (Index at = std::max(machine.commit.next(), leader->term_start); at <= reached; at = at.next()) {
    leader->uncommitted_bytes -= entry_size_bytes(*machine.log.cached(at));
  }
  commit_up_to(machine, reached);
  after_commit(machine, *leader);
}

void tick_leader(Machine& machine) {
  Leader& leader = *machine.leading();
  if (!quorum_is_in_touch(machine, leader)) {
    become_follower(machine, machine.term(), std::nullopt);
    return;
  }
  const TimingConfig& timing = machine.config.timing;
  if (leader.transfer && machine.now - leader.transfer->started_at >= timing.election_timeout_ticks) {
    leader.transfer.reset();
  }
  if (++leader.heartbeat_elapsed < timing.heartbeat_ticks) return;
  leader.heartbeat_elapsed = 0;
  for (Progress& peer : leader.peers) peer.heartbeat_leaves();
  start_heartbeat_round(machine, leader);
  leader.tick_round = leader.round;
  hand_over_if_ready(machine, leader);
}

void handle(Machine& machine, const Message& message, const AppendResponse& response) {
  Leader* leader = machine.leading();
  Progress* peer = leader == nullptr ? nullptr : find_peer(*leader, message.from);
  if (peer == nullptr) return;
  peer->last_heard = machine.now;
  if (response.rejected) {
    if (peer->state == ProgressState::snapshot) return;
    const Index hint = machine.log.last_with_term_at_most(response.hint_index, response.hint_term);
    peer->reject(response.rejected_prev, std::min(hint, response.hint_index).next());
    return;
  }
  if (response.match_index > machine.log.last()) return;
  const bool news = peer->acknowledge(response.match_index);
  if (peer->state == ProgressState::probe ||
      (peer->state == ProgressState::snapshot && peer->match >= machine.log.compaction().index)) {
    peer->become_replicate();
  }
  if (!news) return;
  if (leader->transfer && leader->transfer->target == message.from) hand_over_if_ready(machine, *leader);
  advance_commit(machine);
}

void handle(Machine& machine, const Message& message, const HeartbeatResponse& response) {
  Leader* leader = machine.leading();
  Progress* peer = leader == nullptr ? nullptr : find_peer(*leader, message.from);
  if (peer == nullptr || response.round > leader->round) return;
  peer->last_heard = machine.now;
  if (response.round <= peer->acked_round) return;
  peer->acked_round = response.round;
  // The peer answers, so what it was sent and did not answer may be lost.
  if (response.round >= leader->tick_round) peer->recover();
  release_confirmed_reads(machine);
}

}  // namespace parley::raft
