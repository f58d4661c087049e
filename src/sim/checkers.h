// Checkers: what must hold in every run (docs/simulation.md has the list), looked at after every step of
// every node. The first violation is kept and ends the run. They see everything at once, as nothing in a real
// cluster can. Owned by: the run. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "raft/core.h"
#include "sim/disk.h"
#include "sim/options.h"
#include "sim/state_machine.h"

namespace parley::sim {

struct Violation {
  Check check = Check::count;
  std::string what;
};

class Checkers {
 public:
  Checkers(const Options& options, const raft::FlowConfig& flow)
      : muted_(options.muted), flow_(flow), compares_steps_(options.seed % kComparesOneIn == 0) {}

  // A node that exists, running or not. `disk` outlives the checkers' use of it.
  void watch(raft::Member member, const SimDisk& disk);
  // A process of it began, with this log and this applied state.
  void started(raft::Member member, const raft::RecoveredLog& log, const StateMachine& state);
  void ended(raft::Member member);
  // A snapshot takes the place of what it had applied.
  void installed(raft::Member member, raft::Index index);

  // After every input of a core.
  void stepped(raft::Member member, const raft::Core& core);
  // What came of one or several inputs; only the batch has been handed to the disk yet.
  void gave(raft::Member member, const raft::Output& output);
  // The node applied this entry; `state` is after it.
  void applied(raft::Member member, const raft::Entry& entry, const StateMachine& state);
  // Bytes given out by the core for which it was not told applied().
  void unapplied(raft::Member member, std::size_t size_bytes, std::size_t newest_bytes);

  // An operation of a client begins: nothing that was answered before may lie at or after where it takes
  // effect.
  [[nodiscard]] raft::Index operation_begins() const { return answered_; }
  void write_done(raft::Index floor, const Request& request, raft::Index position);
  void read_done(raft::Index floor, raft::Index observed, std::uint64_t state_hash);

  void report(Check check, std::string what);
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

  [[nodiscard]] raft::Index committed() const { return raft::Index(committed_.size()); }
  [[nodiscard]] std::uint64_t elections() const { return leaders_.size(); }

 private:
  struct Content {  // of an (index, term)
    std::uint64_t hash = 0;
    raft::Term previous_term;
  };
  struct Committed {
    raft::Term term;
    raft::Term committed_in;       // the term of the leader that committed it
    std::uint64_t state_hash = 0;  // 0: nobody applied it yet
    std::optional<Request> request;
  };
  struct Watched {
    const SimDisk* disk = nullptr;
    raft::HardState hard_state;  // the newest that was durable
    // of the running process
    raft::Role role = raft::Role::follower;
    raft::Term term;
    raft::Index commit;
    raft::Index given;  // the last entry given out to be applied
    raft::Index applied;
    const raft::Core* core = nullptr;
    std::optional<raft::Core> before;  // a copy, in runs that compare
  };

  // Copying a core at every step is dear: one seed in so many does it.
  static constexpr std::uint64_t kComparesOneIn = 8;

  void check_core(Watched& watched, raft::Member member);
  void check_store(const Watched& watched, const raft::StorageBatch& batch, raft::Member member);
  void check_messages(const Watched& watched, const raft::Output& output);
  void check_message(const Watched& watched, const raft::Message& message);
  void check_append(const raft::AppendRequest& append, raft::Member from);
  void check_role(Watched& watched, raft::Member member);
  void check_commit(Watched& watched, raft::Member member, bool may_commit);
  void extend_committed(const raft::Core& core, raft::Index index, raft::Member member);
  void check_majority(const raft::Configuration& configuration, raft::Index index, raft::Term term);
  [[nodiscard]] bool majority_stored(const std::vector<raft::Member>& voters, raft::Index index,
                                     raft::Term term) const;
  void check_complete(const raft::Core& core, raft::Member member, raft::Index index);
  void check_given(Watched& watched, const raft::Output& output, raft::Member member);
  void check_mirror(const Watched& watched, raft::Member member);

  std::bitset<kChecks> muted_;
  raft::FlowConfig flow_;
  bool compares_steps_;
  std::optional<Violation> violation_;
  std::map<raft::Member, Watched> watched_;
  std::map<raft::Term, raft::Member> leaders_;
  std::map<std::pair<raft::Member, raft::Term>, raft::Member> votes_;
  std::unordered_map<std::uint64_t, Content> contents_;     // by (index, term); only looked up
  std::vector<Committed> committed_;                        // of index 1, 2, …
  std::unordered_map<std::uint64_t, raft::Index> effects_;  // value → where it took effect; only looked up
  raft::Index answered_;  // the highest position that an answer to a client spoke of
};

}  // namespace parley::sim
