#include "raft/membership.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace parley::raft {
namespace {

using testing::member;
using testing::members;

Configuration target(std::initializer_list<std::uint32_t> voters,
                     std::initializer_list<std::uint32_t> learners, bool by_itself) {
  return {.voters = members(voters), .learners = members(learners), .leaves_joint_by_itself = by_itself};
}

TEST(Membership, one_voter_at_a_time_needs_no_joint_configuration) {
  const auto next = next_configuration({.voters = members({1, 2, 3})}, target({1, 2, 3, 4}, {}, true));
  ASSERT_TRUE(next);
  EXPECT_FALSE(is_joint(*next));
  EXPECT_FALSE(next->leaves_joint_by_itself);
  EXPECT_EQ(next->voters, members({1, 2, 3, 4}));
}

TEST(Membership, two_voters_need_one) {
  const Configuration current{.voters = members({1, 2, 3})};
  const auto joint = next_configuration(current, target({1, 2, 4}, {3}, true));
  ASSERT_TRUE(joint);
  EXPECT_EQ(joint->outgoing_voters, members({1, 2, 3}));
  EXPECT_TRUE(joint->leaves_joint_by_itself);
  EXPECT_EQ(joint->next_learners, members({3})) << "still votes in the outgoing half";
  EXPECT_TRUE(joint->learners.empty());
  EXPECT_TRUE(validate(*joint));
  EXPECT_EQ(leave_joint(*joint), (Configuration{.voters = members({1, 2, 4}), .learners = members({3})}));
}

TEST(Membership, another_life_of_a_node_is_another_member) {
  const Configuration current{.voters = members({1, 2, 3})};
  Configuration next = target({1, 2}, {}, true);
  next.voters.push_back(member(3, 77));
  const auto joint = next_configuration(current, next);
  ASSERT_TRUE(joint);
  EXPECT_TRUE(is_joint(*joint)) << "one goes, one comes";
  EXPECT_TRUE(is_voter(*joint, member(3)));
  EXPECT_TRUE(is_voter(*joint, member(3, 77)));
  EXPECT_TRUE(validate(*joint));
  EXPECT_EQ(all_members(*joint).size(), 4U);
  EXPECT_FALSE(is_member(leave_joint(*joint), member(3)));
}

TEST(Membership, the_way_out_of_a_joint_configuration_is_the_only_way) {
  const auto joint = next_configuration({.voters = members({1})}, target({1, 2}, {}, false));
  ASSERT_TRUE(joint);
  ASSERT_TRUE(is_joint(*joint)) << "not by itself: joint even for one voter";
  EXPECT_FALSE(next_configuration(*joint, target({1, 2, 3}, {}, false)));
  EXPECT_FALSE(next_configuration(*joint, target({1, 2}, {4}, false)));
  const auto out = next_configuration(*joint, target({1, 2}, {}, false));
  ASSERT_TRUE(out);
  EXPECT_EQ(*out, Configuration{.voters = members({1, 2})});
}

TEST(Membership, refuses_what_is_no_configuration) {
  const Configuration current{.voters = members({1, 2, 3})};
  EXPECT_FALSE(next_configuration(current, target({}, {}, true)));
  EXPECT_FALSE(next_configuration(current, target({2, 1}, {}, true)));
  EXPECT_FALSE(next_configuration(current, target({1, 2}, {2}, true)));
  EXPECT_FALSE(next_configuration(current, target({0}, {}, true)));
  EXPECT_FALSE(next_configuration(current, target({1, 2, 3}, {}, true))) << "changes nothing";
  Configuration joint = target({1, 2}, {}, true);
  joint.outgoing_voters = members({1});
  EXPECT_FALSE(next_configuration(current, joint));
}

TEST(Membership, the_newest_in_the_log_counts) {
  Membership membership({}, {});
  EXPECT_TRUE(membership.current().voters.empty());
  membership.append(Index(1), {.voters = members({1})});
  membership.append(Index(5), {.voters = members({1, 2})});
  EXPECT_EQ(membership.current().voters, members({1, 2}));
  EXPECT_EQ(membership.current_index(Index(0)), Index(5));
  EXPECT_EQ(membership.as_of(Index(4)).voters, members({1}));
  membership.truncate_from(Index(5));
  EXPECT_EQ(membership.current().voters, members({1}));
}

TEST(Membership, who_comes_and_goes_above_the_commit_index_may_still_vote) {
  Membership membership({}, {});
  membership.append(Index(1), {.voters = members({2})});
  membership.append(Index(5), {.voters = members({1, 2})});
  membership.append(Index(9), {.voters = members({2})});
  EXPECT_TRUE(membership.may_vote(member(1), Index(3))) << "neither in the newest nor as of the commit index";
  EXPECT_TRUE(membership.may_vote(member(1), Index(8)));
  EXPECT_FALSE(membership.may_vote(member(1), Index(9))) << "its removal is committed";
  EXPECT_FALSE(membership.may_vote(member(3), Index(3)));
}

TEST(Membership, compaction_keeps_the_configuration_as_of_it) {
  Membership membership({}, {});
  membership.append(Index(1), {.voters = members({1})});
  membership.append(Index(5), {.voters = members({1, 2})});
  membership.compact({.index = Index(3), .term = Term(1), .configuration = membership.as_of(Index(3))});
  EXPECT_EQ(membership.as_of(Index(3)).voters, members({1}));
  EXPECT_EQ(membership.current().voters, members({1, 2}));
  membership.truncate_from(Index(5));
  EXPECT_EQ(membership.current().voters, members({1}));
  EXPECT_EQ(membership.current_index(Index(3)), Index(3));
}

}  // namespace
}  // namespace parley::raft
