#include "raft/hash.h"

#include <functional>
#include <string_view>

namespace parley::raft {
namespace {

class Hasher {
 public:
  void add(std::uint64_t value) { state_ = Random(state_ ^ value).next(); }
  void add(const Member& member) {
    add(member.id.value());
    add(member.incarnation.value());
  }
  void add(const Configuration& configuration) {
    for (const auto* list : {&configuration.voters, &configuration.outgoing_voters, &configuration.learners,
                             &configuration.next_learners}) {
      add(list->size());
      for (const Member& member : *list) add(member);
    }
  }
  void add(const Log& log) {
    add(log.compaction().index.value());
    add(log.last().value());
    add(log.stored().value());
    add(log.handed().value());
    for (const TermRun& run : log.terms()) {
      add(run.first.value());
      add(run.term.value());
    }
    for (Index at = log.first_cached(); at <= log.last(); at = at.next()) {
      add(std::hash<std::string_view>{}(log.cached(at)->data.view()));
    }
  }
  void add(const Leader& leader) {
    add(leader.round);
    add(leader.reads.pending());
    for (const Progress& peer : leader.peers) {
      add(static_cast<std::uint64_t>(peer.state));
      add(peer.match.value());
      add(peer.next.value());
      add(peer.window.count());
      add(peer.acked_round);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace

std::uint64_t hash_of(const Machine& machine) {
  Hasher hasher;
  hasher.add(machine.self());
  hasher.add(machine.term().value());
  if (machine.hard_state.voted_for) hasher.add(*machine.hard_state.voted_for);
  hasher.add(machine.configuration());
  hasher.add(machine.log);
  hasher.add(machine.durability.last_batch());
  hasher.add(machine.durability.finished_batch());
  hasher.add(machine.commit.value());
  hasher.add(machine.unapplied.applied.value());
  hasher.add(machine.role.index());
  hasher.add(machine.election_elapsed);
  hasher.add(machine.election_timeout);
  if (const Leader* leader = machine.leading(); leader != nullptr) hasher.add(*leader);
  return hasher.value();
}

}  // namespace parley::raft
