#include "raft/membership.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/ensure.h"

namespace parley::raft {
namespace {

bool contains(const std::vector<Member>& members, const Member& member) {
  return std::ranges::find(members, member) != members.end();
}

bool contains_id(const std::vector<Member>& members, NodeId id) {
  return std::ranges::find(members, id, &Member::id) != members.end();
}

std::expected<void, std::string> validate_list(const std::vector<Member>& members, std::string_view name) {
  if (members.size() > kMaxMembers) return std::unexpected(std::string(name) + ": too many members");
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].id.is_none() || members[i].incarnation.is_none()) {
      return std::unexpected(std::string(name) + ": id and incarnation must not be 0");
    }
    if (i > 0 && members[i - 1].id >= members[i].id) {
      return std::unexpected(std::string(name) + ": must be sorted by id, each id once");
    }
  }
  return {};
}

std::size_t voters_changed(const Configuration& current, const Configuration& target) {
  std::vector<Member> difference;
  std::ranges::set_symmetric_difference(current.voters, target.voters, std::back_inserter(difference));
  return difference.size();
}

Configuration enter_joint(const Configuration& current, const Configuration& target) {
  Configuration joint = target;
  joint.outgoing_voters = current.voters;
  joint.learners.clear();
  joint.next_learners.clear();
  for (const Member& learner : target.learners) {
    (contains(current.voters, learner) ? joint.next_learners : joint.learners).push_back(learner);
  }
  return joint;
}

}  // namespace

bool is_joint(const Configuration& configuration) { return !configuration.outgoing_voters.empty(); }

bool is_voter(const Configuration& configuration, const Member& member) {
  return contains(configuration.voters, member) || contains(configuration.outgoing_voters, member);
}

bool is_member(const Configuration& configuration, const Member& member) {
  return is_voter(configuration, member) || contains(configuration.learners, member);
}

std::vector<Member> all_members(const Configuration& configuration) {
  std::vector<Member> members = configuration.voters;
  members.insert(members.end(), configuration.outgoing_voters.begin(), configuration.outgoing_voters.end());
  members.insert(members.end(), configuration.learners.begin(), configuration.learners.end());
  std::ranges::sort(members);
  const auto repeated = std::ranges::unique(members);
  members.erase(repeated.begin(), repeated.end());
  return members;
}

std::expected<void, std::string> validate(const Configuration& configuration) {
  if (configuration.voters.empty()) return std::unexpected("configuration: no voters");
  for (const auto& [list, name] : {std::pair{&configuration.voters, "voters"},
                                   std::pair{&configuration.outgoing_voters, "outgoing_voters"},
                                   std::pair{&configuration.learners, "learners"},
                                   std::pair{&configuration.next_learners, "next_learners"}}) {
    if (auto valid = validate_list(*list, name); !valid) return valid;
  }
  for (const Member& learner : configuration.learners) {
    if (contains_id(configuration.voters, learner.id))
      return std::unexpected("configuration: a learner that is a voter");
    if (contains(configuration.outgoing_voters, learner)) {
      return std::unexpected("configuration: a learner that still votes in the outgoing half");
    }
  }
  for (const Member& learner : configuration.next_learners) {
    if (!contains(configuration.outgoing_voters, learner)) {
      return std::unexpected("configuration: a next learner that is no outgoing voter");
    }
    if (contains_id(configuration.voters, learner.id) || contains_id(configuration.learners, learner.id)) {
      return std::unexpected("configuration: a next learner with another role");
    }
  }
  return {};
}

std::expected<Configuration, std::string> next_configuration(const Configuration& current,
                                                             const Configuration& target) {
  if (is_joint(target) || !target.next_learners.empty()) {
    return std::unexpected("the target of a change must not be joint");
  }
  if (auto valid = validate(target); !valid) return std::unexpected(valid.error());
  if (is_joint(current)) {
    Configuration final = leave_joint(current);
    if (target.voters != final.voters || target.learners != final.learners) {
      return std::unexpected("a joint configuration can only be left for where it leads");
    }
    return final;
  }
  Configuration next = target;
  next.leaves_joint_by_itself = false;
  if (next == current) return std::unexpected("the change changes nothing");
  if (target.leaves_joint_by_itself && voters_changed(current, target) <= 1) return next;
  return enter_joint(current, target);
}

Configuration leave_joint(const Configuration& joint) {
  Configuration final;
  final.voters = joint.voters;
  final.learners = joint.learners;
  final.learners.insert(final.learners.end(), joint.next_learners.begin(), joint.next_learners.end());
  std::ranges::sort(final.learners);
  return final;
}

Membership::Membership(Configuration as_of_compaction, std::vector<ConfigurationAt> in_log)
    : base_(std::move(as_of_compaction)), in_log_(std::move(in_log)) {
  base::ensure(std::ranges::is_sorted(in_log_, std::ranges::less{}, &ConfigurationAt::index),
               "configurations come in the order of the log");
}

const Configuration& Membership::current() const {
  return in_log_.empty() ? base_ : in_log_.back().configuration;
}

Index Membership::current_index(Index compaction) const {
  return in_log_.empty() ? compaction : in_log_.back().index;
}

const Configuration& Membership::as_of(Index index) const {
  const auto after = std::ranges::upper_bound(in_log_, index, std::ranges::less{}, &ConfigurationAt::index);
  return after == in_log_.begin() ? base_ : std::prev(after)->configuration;
}

bool Membership::may_vote(const Member& member, Index commit) const {
  return is_voter(as_of(commit), member) || std::ranges::any_of(in_log_, [&](const ConfigurationAt& at) {
           return at.index > commit && is_voter(at.configuration, member);
         });
}

void Membership::append(Index index, Configuration configuration) {
  base::ensure(in_log_.empty() || in_log_.back().index < index,
               "configurations come in the order of the log");
  in_log_.push_back({.index = index, .configuration = std::move(configuration)});
}

void Membership::truncate_from(Index index) {
  while (!in_log_.empty() && in_log_.back().index >= index) in_log_.pop_back();
}

void Membership::compact(const CompactionPoint& point) {
  base_ = point.configuration;
  std::erase_if(in_log_, [&](const ConfigurationAt& at) { return at.index <= point.index; });
}

void Membership::reset(const CompactionPoint& point) {
  base_ = point.configuration;
  in_log_.clear();
}

}  // namespace parley::raft
