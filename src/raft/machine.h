// Machine: everything that a Core is, as plain data. Private to src/raft; tests look into it through
// invariants.h and describe.h. Owned by: Core, by value. One thread.
//
// Data of a role lives in that role: what only a leader has cannot exist in a follower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "raft/config.h"
#include "raft/core.h"
#include "raft/durability.h"
#include "raft/log.h"
#include "raft/membership.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/random.h"
#include "raft/read_index.h"
#include "raft/types.h"

namespace parley::raft {

struct Vote {
  Member voter;
  bool granted = false;
  bool operator==(const Vote&) const = default;
};

struct Follower {
  std::optional<Member> leader;
  std::uint64_t last_leader_contact = 0;  // tick; counts only while `leader` is known
  FollowerReads reads;
  bool operator==(const Follower&) const = default;
};

struct PreCandidate {
  std::vector<Vote> votes;
  bool operator==(const PreCandidate&) const = default;
};

struct Candidate {
  std::vector<Vote> votes;
  bool operator==(const Candidate&) const = default;
};

struct Transfer {
  Member target;
  std::uint64_t started_at = 0;  // tick
  bool operator==(const Transfer&) const = default;
};

struct Leader {
  std::vector<Progress> peers;   // sorted by member; everybody in the configuration but this node
  Index term_start;              // the no-op that began the term
  std::uint64_t round = 0;       // of the newest heartbeat
  std::uint64_t tick_round = 0;  // of the newest heartbeat that a tick sent
  std::uint32_t heartbeat_elapsed = 0;
  std::size_t uncommitted_bytes = 0;  // of own-term entries
  LeaderReads reads;
  std::optional<Transfer> transfer;
  bool operator==(const Leader&) const = default;
};

using RoleState = std::variant<Follower, PreCandidate, Candidate, Leader>;

// Sizes of what was given out and is not yet applied.
struct Unapplied {
  Index applied;
  std::deque<std::size_t> sizes;  // of applied + 1 and on
  std::size_t size_bytes = 0;
  [[nodiscard]] Index given() const { return Index(applied.value() + sizes.size()); }
  bool operator==(const Unapplied&) const = default;
};

// What status() says that Output::leadership_changed watches.
struct Standing {
  Role role = Role::follower;
  Term term;
  std::optional<Member> leader;
  bool operator==(const Standing&) const = default;
};

struct Machine {
  Machine(Config core_config, RecoveredLog recovered, Index applied);

  Config config;
  HardState hard_state;
  HardState handed_hard_state;  // the newest that the disk was given
  Membership membership;
  Log log;
  Durability durability;
  Index commit;
  Unapplied unapplied;
  bool fetching_for_self = false;
  std::uint64_t self_fetch_not_before = 0;  // tick
  bool self_fetch_waits_for_room = false;   // of the state machine: what was read last had none
  RoleState role;
  std::uint64_t now = 0;  // ticks
  std::uint64_t election_elapsed = 0;
  std::uint64_t election_timeout = 0;  // drawn anew for each wait
  bool campaign_allowed = true;
  bool commit_news_may_wait = false;
  Random random;
  std::uint64_t next_wire_read_id = 0;
  std::optional<CompactionPoint> installed;  // to go out with the next batch
  Standing published;
  Output out;

  bool operator==(const Machine&) const = default;

  // --- what every module asks ---
  [[nodiscard]] const Member& self() const { return config.self; }
  [[nodiscard]] Term term() const { return hard_state.term; }
  [[nodiscard]] const Configuration& configuration() const { return membership.current(); }
  // It holds entry 1, or a state that came of it (design.md, rule 1).
  [[nodiscard]] bool has_state() const { return !log.last().is_none(); }
  [[nodiscard]] Leader* leading() { return std::get_if<Leader>(&role); }
  [[nodiscard]] const Leader* leading() const { return std::get_if<Leader>(&role); }
  [[nodiscard]] std::optional<Member> known_leader() const;
  [[nodiscard]] Standing standing() const;
  // Something is decided that no batch has taken to the disk yet.
  [[nodiscard]] bool needs_batch() const;

  void send(const Member& to, MessageBody body);
  // Leaves once everything decided so far is stored.
  void send_once_stored(const Member& to, MessageBody body);
};

// An entry enters the log; a configuration that it brings is effective.
void append_to_log(Machine& machine, Entry entry, std::optional<Configuration> brought);
void truncate_log(Machine& machine, Index from);

// Raises the commit index to at most the log's end; never lowers it.
void commit_up_to(Machine& machine, Index index);

}  // namespace parley::raft
