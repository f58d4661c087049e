// Who is a member: rules of a configuration, the way from one to the next (Raft thesis 4.3), and the
// configurations of the log by index, since the newest in the log counts, committed or not.
// Owned by: the core, by value. One thread.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "raft/types.h"

namespace parley::raft {

inline constexpr std::size_t kMaxMembers = 64;  // of one list of a configuration

[[nodiscard]] bool is_joint(const Configuration& configuration);
// In either half.
[[nodiscard]] bool is_voter(const Configuration& configuration, const Member& member);
[[nodiscard]] bool is_member(const Configuration& configuration, const Member& member);
// Everybody, each once, sorted.
[[nodiscard]] std::vector<Member> all_members(const Configuration& configuration);

// At least one voter; lists sorted by id, ids unique within a list; in the incoming half an id is voter or
// learner, not both; next_learners are voters of the outgoing half and not of the incoming one.
[[nodiscard]] std::expected<void, std::string> validate(const Configuration& configuration);

// The configuration to append on the way from `current` to `target` (which is not joint).
//   current joint: `target` must be where it leads; the joint one is left.
//   target.leaves_joint_by_itself: at most one voter comes or goes: `target` at once. Otherwise a joint one
//     that the leader leaves by itself once it is committed.
//   not target.leaves_joint_by_itself: a joint one, left by proposing the same target again.
[[nodiscard]] std::expected<Configuration, std::string> next_configuration(const Configuration& current,
                                                                           const Configuration& target);

// Where a joint configuration leads.
[[nodiscard]] Configuration leave_joint(const Configuration& joint);

// The configurations of the log.
class Membership {
 public:
  Membership(Configuration as_of_compaction, std::vector<ConfigurationAt> in_log);

  // Newest in the log. Without voters: the log has none yet (no entry 1).
  [[nodiscard]] const Configuration& current() const;
  // Index of the entry that brought it; the compaction point's if it is older.
  [[nodiscard]] Index current_index(Index compaction) const;
  // As of `index`: what a compaction point there must say.
  [[nodiscard]] const Configuration& as_of(Index index) const;

  // Whether `member` votes in the newest configuration, or in one that the newest may still give way to:
  // those from the commit index on.
  [[nodiscard]] bool may_vote(const Member& member, Index commit) const;

  void append(Index index, Configuration configuration);
  // Entries from `index` on are overridden: what they brought no longer counts.
  void truncate_from(Index index);
  // `point` is the new beginning of the log.
  void compact(const CompactionPoint& point);
  void reset(const CompactionPoint& point);

  bool operator==(const Membership&) const = default;

 private:
  Configuration base_;
  std::vector<ConfigurationAt> in_log_;
};

}  // namespace parley::raft
