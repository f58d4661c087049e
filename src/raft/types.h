// The words of replication as types: terms, entries, members, what is stored, what recovery brings back.
// Owned by: nobody, values. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/payload.h"
#include "base/strong_id.h"

namespace parley::raft {

using base::Incarnation;
using base::NodeId;
using base::Payload;

using Term = base::StrongId<struct TermTag>;
// A place in the log; chat calls the same number a position.
using Index = base::Position;

// A node in one of its lives. A wiped node comes back as another member (design.md, Incarnations).
struct Member {
  NodeId id;
  Incarnation incarnation;
  auto operator<=>(const Member&) const = default;
};

// Who votes and who only listens. Joint while `outgoing_voters` is not empty (Raft thesis 4.3): both
// majorities decide. Every list is sorted by id, an id stands in one role at most in each half. Effective
// when appended.
struct Configuration {
  std::vector<Member> voters;
  std::vector<Member> outgoing_voters;
  std::vector<Member> learners;
  std::vector<Member>
      next_learners;  // voters of the outgoing half that become learners when the joint one is left
  bool leaves_joint_by_itself = false;
  bool operator==(const Configuration&) const = default;
};

enum class EntryKind : std::uint8_t {
  founding = 1,       // entry 1 of every log: encoded Founding
  no_op = 2,          // first entry of a leader's term; no data
  configuration = 3,  // encoded Configuration
  command = 4,        // bytes that only the state machine understands
};

struct Entry {
  Index index;
  Term term;
  EntryKind kind = EntryKind::command;
  Payload data;
  bool operator==(const Entry&) const = default;
};

// What entry 1 holds (design.md, rule 1).
struct Founding {
  Configuration configuration;
  base::ClusterId cluster_id;
  std::string state_seed;  // 32 random bytes for the state machine
  bool operator==(const Founding&) const = default;
};

// Term and vote: on disk before any message that depends on them (Raft thesis 3.8).
struct HardState {
  Term term;
  std::optional<Member> voted_for;
  bool operator==(const HardState&) const = default;
};

// Everything up to `index` is in the state machine's synced state; the log may begin after it. Index 0:
// nothing is.
struct CompactionPoint {
  Index index;
  Term term;
  Configuration configuration;  // as of `index`
  bool operator==(const CompactionPoint&) const = default;
};

// One unit of work for the disk: one write, one sync. Stored in the order of their numbers.
struct StorageBatch {
  std::uint64_t number = 0;  // counts from 1 since this process started; told back by Core::persisted
  std::optional<HardState> hard_state;
  // A snapshot takes the log's place: the state up to this point is in a synced file, and one record switches
  // to it (design.md, rule 8), before the entries of this batch. What follows the point in the log stays
  // only if the log has an entry of that index and term.
  std::optional<CompactionPoint> installed;
  std::vector<Entry> entries;  // a first index at or below the last one stored overrides the suffix
  bool operator==(const StorageBatch&) const = default;
};

// From `first` on, until the next run begins, entries have this term.
struct TermRun {
  Index first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

// A configuration (or founding) entry of the log, decoded.
struct ConfigurationAt {
  Index index;
  Configuration configuration;
  bool operator==(const ConfigurationAt&) const = default;
};

// What the log on disk gave back, and what a core starts from. Bounded in memory however long the log is:
// older entries stay on disk and are asked for (FetchRequest).
struct RecoveredLog {
  HardState hard_state;
  CompactionPoint compaction;
  Index last;                                   // of the log; compaction.index if it is empty
  std::vector<TermRun> terms;                   // of every entry after the compaction point
  std::vector<ConfigurationAt> configurations;  // of every such entry after the compaction point
  std::vector<Entry> entries;  // the newest ones without a gap, ending with `last`; may be fewer than all
  bool operator==(const RecoveredLog&) const = default;
};

}  // namespace parley::raft
