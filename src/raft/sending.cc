// What a leader sends: appends, offers, heartbeats, commit notices (replication.h).
#include <algorithm>
#include <numeric>
#include <utility>

#include "raft/index_math.h"
#include "raft/reads.h"
#include "raft/replication.h"

namespace parley::raft {
namespace {

std::size_t size_of(const std::vector<Entry>& entries) {
  return std::accumulate(entries.begin(), entries.end(), std::size_t{0},
                         [](std::size_t sum, const Entry& entry) { return sum + entry_size_bytes(entry); });
}

// `entries` follow the entry before `peer.next`, whose term is `prev_term`.
void send_append(Machine& machine, Progress& peer, Term prev_term, std::vector<Entry> entries) {
  const Index prev = before(peer.next);
  const Index end = ahead(prev, entries.size());
  if (!entries.empty() || peer.state == ProgressState::probe) peer.sent(end, size_of(entries));
  peer.sent_commit = std::max(peer.sent_commit, std::min(machine.commit, end));
  peer.wants_empty_append = false;
  machine.send(peer.member, AppendRequest{.prev_index = prev,
                                          .prev_term = prev_term,
                                          .commit = machine.commit,
                                          .entries = std::move(entries)});
}

void offer_snapshot(Machine& machine, Progress& peer) {
  if (peer.state != ProgressState::snapshot) peer.become_snapshot();
  if (peer.offered) return;
  peer.offered = true;
  machine.send(peer.member, SnapshotOffer{.point = machine.log.compaction()});
}

void fetch_for(Machine& machine, Progress& peer) {
  if (peer.fetching || peer.fetch_not_before > machine.now) return;
  peer.fetching = true;
  machine.out.fetches.push_back(
      {.peer = peer.member, .first = peer.next, .max_size_bytes = machine.config.flow.max_append_size_bytes});
}

void send_appends(Machine& machine, Progress& peer) {
  const FlowConfig& flow = machine.config.flow;
  while (!peer.fetching && peer.may_send(flow)) {
    const bool has_news = peer.next <= machine.log.last();
    if (!has_news && peer.state != ProgressState::probe) return;
    const std::optional<Term> prev_term = machine.log.term_at(before(peer.next));
    if (!prev_term) {
      offer_snapshot(machine, peer);
      return;
    }
    std::vector<Entry> entries =
        machine.log.slice(peer.next, machine.log.last(), flow.max_append_entries, flow.max_append_size_bytes);
    if (has_news && entries.empty()) {
      fetch_for(machine, peer);
      return;
    }
    send_append(machine, peer, *prev_term, std::move(entries));
  }
}

// The commit index should reach a follower at once, since it applies and answers reads by it. One that has
// everything is told in a heartbeat that wants no answer; one whose answers are still on their way gets an
// append without entries, which may name more.
void tell_commit(Machine& machine, Progress& peer) {
  if (machine.commit_news_may_wait) return;
  const Index sent = before(peer.next);
  if (peer.state == ProgressState::replicate && peer.match < std::min(machine.commit, sent) &&
      std::min(machine.commit, sent) > peer.sent_commit) {
    peer.wants_empty_append = true;
    return;
  }
  const Index news = std::min(machine.commit, peer.match);
  if (news <= peer.sent_commit) return;
  peer.sent_commit = news;
  machine.send(peer.member, HeartbeatRequest{.commit = news, .round = 0});
}

// An append without entries, whatever the window says. Where the log no longer reaches back to what was sent
// last, only a snapshot helps if that was lost.
void ask(Machine& machine, Progress& peer) {
  peer.wants_empty_append = false;
  if (const std::optional<Term> prev_term = machine.log.term_at(before(peer.next)); prev_term) {
    send_append(machine, peer, *prev_term, {});
  } else {
    offer_snapshot(machine, peer);
  }
}

}  // namespace

void start_heartbeat_round(Machine& machine, Leader& leader) {
  ++leader.round;
  if (term_has_commit(machine, leader)) leader.reads.start_round(leader.round, machine.commit);
  for (Progress& peer : leader.peers) {
    const Index commit = std::min(machine.commit, peer.match);
    peer.sent_commit = std::max(peer.sent_commit, commit);
    machine.send(peer.member, HeartbeatRequest{.commit = commit, .round = leader.round});
  }
  release_confirmed_reads(machine);
}

void replicate(Machine& machine) {
  Leader* leader = machine.leading();
  if (leader == nullptr) return;
  if (term_has_commit(machine, *leader) && leader->reads.wants_round()) {
    start_heartbeat_round(machine, *leader);
  }
  for (Progress& peer : leader->peers) {
    if (peer.state == ProgressState::snapshot) offer_snapshot(machine, peer);
    send_appends(machine, peer);
    tell_commit(machine, peer);
    if (peer.wants_empty_append) ask(machine, peer);
  }
  if (term_has_commit(machine, *leader) && leader->reads.wants_round()) {
    start_heartbeat_round(machine, *leader);
  }
}

void send_fetched(Machine& machine, const FetchRequest& request, std::vector<Entry> entries) {
  Leader* leader = machine.leading();
  if (leader == nullptr) return;
  const auto peer = std::ranges::find(leader->peers, request.peer, &Progress::member);
  if (peer == leader->peers.end() || !peer->fetching) return;
  peer->fetching = false;
  if (peer->next != request.first || !peer->may_send(machine.config.flow)) return;
  const std::optional<Term> prev_term = machine.log.term_at(before(peer->next));
  if (!prev_term || entries.empty()) {
    peer->fetch_not_before = machine.now + 1;
    return;
  }
  if (entries.size() > machine.config.flow.max_append_entries) {
    entries.resize(machine.config.flow.max_append_entries);
  }
  send_append(machine, *peer, *prev_term, std::move(entries));
}

}  // namespace parley::raft
