#include "raft/invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "raft/index_math.h"
#include "raft/machine.h"

namespace parley::raft {
namespace {

class Checker {
 public:
  void expect(bool holds, std::string_view rule) {
    if (!holds) broken_.emplace_back(rule);
  }
  [[nodiscard]] std::vector<std::string> broken() && { return std::move(broken_); }

 private:
  std::vector<std::string> broken_;
};

void check_log(Checker& checker, const Machine& machine) {
  const Log& log = machine.log;
  checker.expect(
      log.compaction().index <= log.stored() && log.stored() <= log.handed() && log.handed() <= log.last(),
      "1: compaction <= stored <= handed <= last");
  checker.expect(log.first_cached() <= log.stored().next(), "2: what is not stored is cached");
  for (std::size_t i = 1; i < log.terms().size(); ++i) {
    checker.expect(
        log.terms()[i - 1].first < log.terms()[i].first && log.terms()[i - 1].term < log.terms()[i].term,
        "3: terms rise along the log");
  }
  for (Index at = log.first_cached(); at <= log.last(); at = at.next()) {
    const Entry* entry = log.cached(at);
    checker.expect(entry != nullptr && entry->index == at && log.matches(at, entry->term),
                   "2: cached entries stand at their index, with the term that the log says");
  }
  checker.expect(machine.term() >= log.last_term(), "4: the term is at least the log's newest");
  checker.expect(machine.membership.current_index(log.compaction().index) <= log.last(),
                 "5: the configuration is one of the log");
}

void check_commit(Checker& checker, const Machine& machine) {
  const Unapplied& unapplied = machine.unapplied;
  checker.expect(machine.commit <= machine.log.last(), "6: commit <= last");
  checker.expect(
      unapplied.given() <= std::min(machine.commit, machine.log.stored()) || unapplied.sizes.empty(),
      "7: given out only what is committed and stored here");
  checker.expect(machine.log.compaction().index <= unapplied.applied, "8: compacted only what is applied");
}

void check_peer(Checker& checker, const Machine& machine, const Progress& peer) {
  checker.expect(peer.match < peer.next, "9: match < next");
  checker.expect(peer.match <= machine.log.last() && before(peer.next) <= machine.log.last(),
                 "9: a peer's progress lies within the log");
  checker.expect(peer.state == ProgressState::replicate || peer.window.count() == 0,
                 "9: only a replicating peer has appends on their way");
  checker.expect(peer.window.count() <= machine.config.flow.max_inflight_appends, "9: the window is bounded");
  checker.expect(peer.sent_commit <= machine.commit, "9: a peer was told of no more than is committed");
}

void check_leader(Checker& checker, const Machine& machine, const Leader& leader) {
  checker.expect(machine.hard_state.voted_for == machine.self(), "10: a leader voted for itself");
  checker.expect(machine.hard_state == machine.handed_hard_state, "10: a leader's vote went to the disk");
  checker.expect(leader.term_start <= machine.log.compaction().index ||
                     machine.log.matches(leader.term_start, machine.term()),
                 "11: a leader's log has its no-op");
  checker.expect(machine.log.last_term() == machine.term(), "11: a leader's log ends in its own term");
  std::vector<Member> expected = all_members(machine.configuration());
  std::erase(expected, machine.self());
  std::vector<Member> known;
  for (const Progress& peer : leader.peers) {
    if (!peer.leaving) known.push_back(peer.member);
    checker.expect(peer.leaving != is_member(machine.configuration(), peer.member),
                   "12: who leaves is not in the configuration");
  }
  checker.expect(expected == known, "12: a leader has one progress for each other member");
  for (const Progress& peer : leader.peers) check_peer(checker, machine, peer);
  std::size_t uncommitted_bytes = 0;
  for (Index at = std::max(machine.commit.next(), leader.term_start); at <= machine.log.last();
       at = at.next()) {
    const Entry* entry = machine.log.cached(at);
    checker.expect(entry != nullptr, "2: what is not committed in this term is cached");
    if (entry != nullptr) uncommitted_bytes += entry_size_bytes(*entry);
  }
  checker.expect(uncommitted_bytes == leader.uncommitted_bytes, "13: the uncommitted bytes add up");
}

}  // namespace

std::vector<std::string> broken_invariants(const Core& core) {
  const Machine& machine = core.machine();
  Checker checker;
  check_log(checker, machine);
  check_commit(checker, machine);
  if (const Leader* leader = machine.leading(); leader != nullptr) check_leader(checker, machine, *leader);
  if (std::holds_alternative<Candidate>(machine.role)) {
    checker.expect(machine.hard_state.voted_for == machine.self(), "14: a candidate voted for itself");
  }
  if (!machine.has_state()) {
    checker.expect(std::holds_alternative<Follower>(machine.role) && !machine.hard_state.voted_for,
                   "15: a node without state neither votes nor campaigns");
  }
  return std::move(checker).broken();
}

std::vector<std::string> broken_changes(const Core& before_core, const Core& after_core) {
  const Machine& before = before_core.machine();
  const Machine& after = after_core.machine();
  Checker checker;
  checker.expect(after.term() >= before.term(), "16: the term never falls");
  if (after.term() == before.term() && before.hard_state.voted_for) {
    checker.expect(after.hard_state.voted_for == before.hard_state.voted_for, "17: one vote in a term");
  }
  checker.expect(after.commit >= before.commit, "18: the commit index never falls");
  checker.expect(after.unapplied.applied >= before.unapplied.applied, "18: the applied index never falls");
  const Index first = std::max(before.log.compaction().index, after.log.compaction().index);
  for (Index at = first; at <= before.commit; at = at.next()) {
    checker.expect(after.log.term_at(at) == before.log.term_at(at), "19: a committed entry stays what it is");
  }
  const bool led_on =
      before.leading() != nullptr && after.leading() != nullptr && after.term() == before.term();
  if (led_on) {
    checker.expect(after.log.last() >= before.log.last(), "20: a leader only appends");
    for (Index at = first; at <= before.log.last(); at = at.next()) {
      checker.expect(after.log.term_at(at) == before.log.term_at(at), "20: a leader only appends");
    }
  }
  checker.expect(after.durability.finished_batch() >= before.durability.finished_batch() &&
                     after.durability.last_batch() >= before.durability.last_batch(),
                 "21: batches count upwards");
  return std::move(checker).broken();
}

}  // namespace parley::raft
