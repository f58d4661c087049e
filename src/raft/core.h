// Core: one node's part in Raft, without disk, network, clock or thread. Inputs are function calls, all
// effects are in the Output that take_output() returns. The same inputs give the same outputs. A core is a
// value: copyable, comparable, hashable. Owned by: the node's core thread, which alone touches it (in the
// simulator: the scheduler).
//
// The order of durability is in the types:
//   1. Output::messages may be sent at once. What must wait for the disk is kept inside the core until
//   persisted() says
//      that the batch it waits for is stored, and appears in a later Output.
//   2. Output::store goes to the disk, in order of batch numbers. Several may be under way.
//   3. Output::committed is committed *and* stored in this node's own log (design.md, rule 3): apply it, in
//   order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/config.h"
#include "raft/message.h"
#include "raft/types.h"

namespace parley::raft {

struct Machine;

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

// A linearizable read may be answered from state that has applied `index`. Failed: no `index`; ask again.
struct ReadReady {
  std::uint64_t read_id = 0;
  std::optional<Index> index;
  bool operator==(const ReadReady&) const = default;
};

// Entries are needed that are no longer in memory: read them from the log on disk and hand them to fetched().
// `peer` is who lags; this node itself when it is its own state machine (after a restart).
struct FetchRequest {
  Member peer;
  Index first;
  std::size_t max_size_bytes = 0;
  bool operator==(const FetchRequest&) const = default;
};

// What this node needs is no longer in the leader's log: fetch the state as of `point` or later from `from`,
// verify and sync it, then call install(). Repeated while it lasts.
struct SnapshotWanted {
  Member from;
  CompactionPoint point;
  bool operator==(const SnapshotWanted&) const = default;
};

struct Output {
  std::vector<Message> messages;      // send now
  std::optional<StorageBatch> store;  // store, then call persisted(number)
  std::vector<Entry> committed;       // apply, in order
  std::vector<ReadReady> reads;
  std::vector<FetchRequest> fetches;
  std::optional<SnapshotWanted> snapshot;
  bool leadership_changed =
      false;  // role, term or known leader differ from the last Output: look at status()
  [[nodiscard]] bool empty() const;
  bool operator==(const Output&) const = default;
};

// Why a proposal was not taken. Nothing happened in either case.
enum class ProposeError : std::uint8_t {
  not_leader,  // forward it to status().leader
  overloaded,  // more than FlowConfig::max_uncommitted_bytes wait for their majority
  transferring,
};

struct PeerStatus {
  Member member;
  Index match;
  bool recently_active = false;
  bool operator==(const PeerStatus&) const = default;
};

struct Status {
  Role role = Role::follower;
  Term term;
  std::optional<Member> leader;
  Index commit;
  Index last;    // of the log
  Index stored;  // of the log on this node's disk
  Configuration configuration;
  std::vector<PeerStatus> peers;  // on the leader only
  bool lease_holds = false;       // leader: heard from a quorum within the election timeout
  bool term_has_commit = false;   // leader: an entry of its own term is committed (reads are possible)
};

class Core {
 public:
  // From what recovery found. `applied`: what the state machine has (at least the compaction point); entries
  // after it come out in `committed` again. A log without entry 1 (not founded) makes a core that never votes
  // nor campaigns (rule 1) until entry 1 arrives by found() or by append.
  Core(Config config, RecoveredLog log, Index applied);
  Core(const Core& other);
  Core& operator=(const Core& other);
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;
  ~Core();
  bool operator==(const Core& other) const;
  [[nodiscard]] std::uint64_t hash() const;

  // Stores entry 1 in an empty log. The caller (founding) has made sure that every node of it does the same
  // or waits.
  void found(const Founding& founding);

  // A message from a peer. Dropped: one not for this (id, incarnation); an answer from a member that is not
  // in the configuration as this (id, incarnation), so that a wiped node counts for nothing. A request from a
  // member that the configuration does not know is served: this node may be the one that is behind.
  void step(const Message& message);

  // One unit of logical time has passed (TimingConfig counts in it).
  void tick();

  // Appends one entry to the leader's log; its index is the answer. Batching is the caller's: many calls, one
  // Output.
  [[nodiscard]] std::expected<Index, ProposeError> propose(Payload data);

  // Joint consensus (Raft thesis 4.3); one change at a time. `next` is where the change leads, never joint
  // itself. next.leaves_joint_by_itself: the leader goes all the way alone (through a joint configuration
  // unless at most one voter comes or goes). Otherwise a joint one is entered, and left when the same `next`
  // is proposed again after it is committed. The error says why not.
  [[nodiscard]] std::expected<Index, std::string> propose_configuration(const Configuration& next);

  // Asks for a read barrier, on any role; the answer is in Output::reads, with the same id. It fails at once
  // where no leader is known, and when leadership changes before it is confirmed.
  void read(std::uint64_t read_id);

  // The disk has stored this batch and all before it.
  void persisted(std::uint64_t batch_number);

  // Answers a FetchRequest. Entries that were overridden or compacted since are dropped.
  void fetched(const FetchRequest& request, std::vector<Entry> entries);

  // The state machine has applied up to here; frees memory and lets more come out (Output::committed runs
  // ahead of it by at most FlowConfig::max_unapplied_bytes).
  void applied(Index index);

  // A snapshot as of `point` is verified and synced on this node's disk, after Output::snapshot. The next
  // batch carries it to the log; the state machine counts as applied up to it. One that is no longer ahead
  // of the commit index is ignored (false).
  [[nodiscard]] bool install(const CompactionPoint& point);

  // The log below this point may go (rule 7 is the caller's). Older entries can no longer be sent.
  void compacted(const CompactionPoint& point);

  // Hands leadership to `target` (Raft thesis 3.10), once it has caught up; given up after an election
  // timeout. Nothing on a node that does not lead, or for one that is no voter.
  void transfer_leadership(Member target);

  // A leader steps down in its own term and does not campaign until may_campaign(true) (rules 11 and 16).
  void step_down();
  void may_campaign(bool allowed);

  // A leader's caller is about to propose more: followers hear of the commit index with those entries, or
  // with the next heartbeat, and not by a message of its own.
  void commit_news_may_wait(bool allowed);

  // Starts a pre-vote without waiting for the election timeout; nothing where this node may not lead.
  void campaign();
  // The connection to the leader is known to be dead (rule 10): its lease no longer stands in the way of
  // another's pre-vote, until it is heard again.
  void forget_leader();

  // Everything that came of the calls since the last take_output().
  [[nodiscard]] Output take_output();

  // Everything at once; copies the configuration. What is asked often has a way of its own.
  [[nodiscard]] Status status() const;
  [[nodiscard]] Role role() const;
  [[nodiscard]] Term term() const;
  [[nodiscard]] std::optional<Member> leader() const;
  [[nodiscard]] Index commit_index() const;
  [[nodiscard]] Index last_index() const;
  [[nodiscard]] Index stored_index() const;
  [[nodiscard]] bool lease_holds() const;
  [[nodiscard]] bool is_disk_behind() const;  // until it is not, campaign() only lets the next tick try
  [[nodiscard]] bool term_has_commit() const;
  [[nodiscard]] const Configuration& configuration() const;  // valid until the next call that is not const
  [[nodiscard]] const Config& config() const;
  // What CompactionPoint::configuration must be for a point there.
  [[nodiscard]] const Configuration& configuration_at(Index index) const;
  // The term of an entry in the log; nothing if it is not there (any more).
  [[nodiscard]] std::optional<Term> term_at(Index index) const;

  // For invariants.h and describe.h.
  [[nodiscard]] const Machine& machine() const { return *machine_; }

 private:
  std::unique_ptr<Machine> machine_;
};

}  // namespace parley::raft
