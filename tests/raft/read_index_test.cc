#include "raft/read_index.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace parley::raft {
namespace {

using testing::member;

TEST(LeaderReads, many_reads_share_one_round) {
  LeaderReads reads;
  for (std::uint64_t id = 1; id <= 1000; ++id) reads.add_local(id);
  reads.add_remote({.from = member(2), .read_id = 7});
  EXPECT_TRUE(reads.wants_round());
  reads.start_round(1, Index(5));
  EXPECT_FALSE(reads.wants_round());
  const auto confirmed = reads.confirm(1);
  ASSERT_EQ(confirmed.size(), 1U);
  EXPECT_EQ(confirmed.front().local.size(), 1000U);
  EXPECT_EQ(confirmed.front().index, Index(5));
  EXPECT_EQ(reads.pending(), 0U);
}

TEST(LeaderReads, a_read_is_not_confirmed_by_a_round_that_began_before_it) {
  LeaderReads reads;
  reads.add_local(1);
  reads.start_round(1, Index(5));
  reads.add_local(2);
  const auto confirmed = reads.confirm(1);
  ASSERT_EQ(confirmed.size(), 1U);
  EXPECT_EQ(confirmed.front().local, std::vector<std::uint64_t>{1});
  EXPECT_EQ(reads.pending(), 1U);
  EXPECT_TRUE(reads.wants_round());
}

TEST(LeaderReads, a_later_round_confirms_the_lost_one) {
  LeaderReads reads;
  reads.add_local(1);
  reads.start_round(1, Index(5));
  reads.add_local(2);
  EXPECT_FALSE(reads.wants_round()) << "one is under way; the next heartbeat takes it along";
  reads.start_round(2, Index(6));
  const auto confirmed = reads.confirm(2);
  ASSERT_EQ(confirmed.size(), 2U);
  EXPECT_EQ(confirmed[0].index, Index(5));
  EXPECT_EQ(confirmed[1].index, Index(6));
}

TEST(LeaderReads, a_repeated_request_is_one_read) {
  LeaderReads reads;
  reads.add_remote({.from = member(2), .read_id = 7});
  reads.add_remote({.from = member(2), .read_id = 7});
  reads.add_remote({.from = member(3), .read_id = 7});
  EXPECT_EQ(reads.pending(), 2U);
  std::size_t failed = 0;
  for (const ReadBatch& batch : reads.fail_all()) failed += batch.remote.size();
  EXPECT_EQ(failed, 2U);
  EXPECT_EQ(reads.pending(), 0U);
}

TEST(FollowerReads, one_request_at_a_time) {
  FollowerReads reads;
  reads.add(1);
  reads.add(2);
  EXPECT_TRUE(reads.wants_request());
  reads.start_request(100, 0);
  reads.add(3);
  EXPECT_FALSE(reads.wants_request());
  EXPECT_TRUE(reads.answered(99).empty()) << "not the request under way";
  EXPECT_EQ(reads.answered(100), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_TRUE(reads.answered(100).empty()) << "once";
  EXPECT_TRUE(reads.wants_request());
  EXPECT_EQ(reads.fail_all(), std::vector<std::uint64_t>{3});
}

}  // namespace
}  // namespace parley::raft
