#include "raft/quorum.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "testing.h"

namespace parley::raft {
namespace {

using testing::members;

std::uint64_t value(const Configuration& configuration,
                    const std::map<std::uint32_t, std::uint64_t>& reached) {
  return quorum_value(configuration, [&](const Member& member) {
    const auto found = reached.find(member.id.value());
    return found == reached.end() ? std::uint64_t{0} : found->second;
  });
}

struct Golden {
  Configuration configuration;
  std::map<std::uint32_t, std::uint64_t> reached;
  std::uint64_t expected;
};

TEST(Quorum, value_of_a_majority) {
  const std::vector<Golden> table = {
      {{.voters = members({1})}, {{1, 12}}, 12},
      {{.voters = members({1})}, {}, 0},
      {{.voters = members({1, 2})}, {{1, 12}, {2, 5}}, 5},
      {{.voters = members({1, 2, 3})}, {{1, 12}}, 0},
      {{.voters = members({1, 2, 3})}, {{1, 12}, {2, 5}}, 5},
      {{.voters = members({1, 2, 3})}, {{1, 12}, {2, 5}, {3, 6}}, 6},
      {{.voters = members({1, 2, 3, 4})}, {{1, 9}, {2, 8}, {3, 7}, {4, 6}}, 7},
      {{.voters = members({1, 2, 3, 4, 5})}, {{1, 101}, {2, 101}, {3, 103}, {4, 103}, {5, 104}}, 103},
      // Learners count for nothing.
      {{.voters = members({1, 2, 3}), .learners = members({4, 5})}, {{1, 9}, {4, 9}, {5, 9}}, 0},
  };
  for (const Golden& golden : table) EXPECT_EQ(value(golden.configuration, golden.reached), golden.expected);
}

TEST(Quorum, value_of_both_halves) {
  const Configuration joint{.voters = members({1, 2, 3}), .outgoing_voters = members({3, 4, 5})};
  EXPECT_EQ(value(joint, {{1, 9}, {2, 9}, {3, 9}}), 0U) << "the outgoing half has no majority";
  EXPECT_EQ(value(joint, {{1, 9}, {2, 9}, {3, 9}, {4, 4}}), 4U);
  EXPECT_EQ(value(joint, {{3, 9}, {4, 9}, {5, 9}}), 0U) << "the incoming half has no majority";
  EXPECT_EQ(value(joint, {{1, 7}, {3, 9}, {4, 9}, {5, 9}}), 7U);
  const Configuration same{.voters = members({1, 2, 3}), .outgoing_voters = members({1, 2, 3})};
  EXPECT_EQ(value(same, {{1, 5}, {2, 6}, {3, 7}}), 6U);
}

TEST(Quorum, votes) {
  EXPECT_EQ(majority_vote({.voters = 3, .granted = 1, .refused = 0}), VoteResult::pending);
  EXPECT_EQ(majority_vote({.voters = 3, .granted = 2, .refused = 1}), VoteResult::won);
  EXPECT_EQ(majority_vote({.voters = 3, .granted = 1, .refused = 2}), VoteResult::lost);
  EXPECT_EQ(majority_vote({.voters = 4, .granted = 2, .refused = 1}), VoteResult::pending);
  EXPECT_EQ(majority_vote({.voters = 4, .granted = 2, .refused = 2}), VoteResult::lost)
      << "half is no majority";
  EXPECT_EQ(majority_vote({.voters = 1, .granted = 1, .refused = 0}), VoteResult::won);
  EXPECT_EQ(both(VoteResult::won, VoteResult::pending), VoteResult::pending);
  EXPECT_EQ(both(VoteResult::won, VoteResult::lost), VoteResult::lost);
  EXPECT_EQ(both(VoteResult::won, VoteResult::won), VoteResult::won);
}

// What "a majority has reached v" means, said another way: count.
RC_GTEST_PROP(QuorumProperty, is_the_largest_value_that_a_majority_has, ()) {
  const auto reached = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 20)));
  auto sorted = reached;
  const std::uint64_t found = majority_value(sorted);
  const auto have = [&](std::uint64_t v) {
    return static_cast<std::size_t>(
        std::ranges::count_if(reached, [&](std::uint64_t one) { return one >= v; }));
  };
  RC_ASSERT(have(found) * 2 > reached.size());
  RC_ASSERT(have(found + 1) * 2 <= reached.size());
}

// Sets of the nodes 1 to 7, as bits.
std::vector<Member> set_of(std::uint32_t bits) {
  std::vector<Member> made;
  for (std::uint32_t id = 1; id <= 7; ++id) {
    if ((bits & (1U << (id - 1))) != 0) made.push_back(testing::member(id));
  }
  return made;
}

bool is_quorum(const Configuration& configuration, std::uint32_t bits) {
  return quorum_value(configuration, [&](const Member& member) {
           return std::uint64_t{(bits & (1U << (member.id.value() - 1))) != 0 ? 1U : 0U};
         }) == 1;
}

// Two quorums of one configuration, or of a configuration and the joint one that follows or leads it, share a
// voter: what the one has decided the other has heard of.
RC_GTEST_PROP(QuorumProperty, any_two_quorums_meet, ()) {
  const auto set = [] { return *rc::gen::inRange<std::uint32_t>(1, 128); };
  const Configuration old{.voters = set_of(set())};
  const Configuration joint{.voters = set_of(set()), .outgoing_voters = old.voters};
  const Configuration last{.voters = joint.voters};
  const std::uint32_t first = set();
  const std::uint32_t second = set();
  const bool meet = (first & second) != 0;
  if (is_quorum(old, first) && is_quorum(joint, second)) RC_ASSERT(meet);
  if (is_quorum(joint, first) && is_quorum(joint, second)) RC_ASSERT(meet);
  if (is_quorum(last, first) && is_quorum(joint, second)) RC_ASSERT(meet);
  if (is_quorum(old, first) && is_quorum(old, second)) RC_ASSERT(meet);
}

}  // namespace
}  // namespace parley::raft
