#include "raft/progress.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace parley::raft {
namespace {

const FlowConfig kFlow{.max_inflight_appends = 3, .max_inflight_bytes = 1000};

Progress replicating(std::uint64_t match) {
  Progress progress{.member = testing::member(2), .match = Index(match), .next = Index(match + 1)};
  progress.become_replicate();
  return progress;
}

TEST(Progress, a_probe_waits_for_its_answer) {
  Progress progress{.member = testing::member(2), .next = Index(5)};
  EXPECT_TRUE(progress.may_send(kFlow));
  progress.sent(Index(6), 10);
  EXPECT_FALSE(progress.may_send(kFlow));
  EXPECT_EQ(progress.next, Index(5)) << "nothing is taken for granted";
  EXPECT_TRUE(progress.reject(Index(4), Index(2)));
  EXPECT_EQ(progress.next, Index(2));
  EXPECT_TRUE(progress.may_send(kFlow));
}

TEST(Progress, replication_runs_ahead_until_the_window_is_full) {
  Progress progress = replicating(4);
  progress.sent(Index(5), 10);
  progress.sent(Index(7), 10);
  EXPECT_EQ(progress.next, Index(8));
  EXPECT_TRUE(progress.may_send(kFlow));
  progress.sent(Index(8), 10);
  EXPECT_FALSE(progress.may_send(kFlow)) << "three are on their way";
  EXPECT_TRUE(progress.acknowledge(Index(6)));
  EXPECT_TRUE(progress.may_send(kFlow)) << "the first has arrived, the second only in part";
  EXPECT_EQ(progress.window.count(), 2U);
}

TEST(Progress, the_window_counts_bytes) {
  Progress progress = replicating(4);
  progress.sent(Index(5), 1000);
  EXPECT_FALSE(progress.may_send(kFlow));
  EXPECT_TRUE(progress.acknowledge(Index(5)));
  EXPECT_TRUE(progress.may_send(kFlow));
  EXPECT_EQ(progress.window.size_bytes(), 0U);
}

TEST(Progress, acknowledgements_only_go_forward) {
  Progress progress = replicating(4);
  progress.sent(Index(9), 10);
  EXPECT_TRUE(progress.acknowledge(Index(9)));
  EXPECT_FALSE(progress.acknowledge(Index(6)));
  EXPECT_EQ(progress.match, Index(9));
  EXPECT_EQ(progress.next, Index(10));
}

TEST(Progress, old_rejections_are_ignored) {
  Progress progress = replicating(4);
  progress.sent(Index(9), 10);
  EXPECT_FALSE(progress.reject(Index(4), Index(1)));
  EXPECT_TRUE(progress.reject(Index(7), Index(1)));
  EXPECT_EQ(progress.state, ProgressState::probe);
  EXPECT_EQ(progress.next, Index(5)) << "never below what is acknowledged";
  EXPECT_FALSE(progress.reject(Index(7), Index(1))) << "not the probe under way";
}

TEST(Progress, an_unanswered_append_is_asked_about_after_a_heartbeat) {
  Progress progress = replicating(4);
  progress.heartbeat_leaves();
  progress.recover();
  EXPECT_FALSE(progress.wants_empty_append) << "nothing was on its way";
  progress.sent(Index(5), 10);
  progress.recover();
  EXPECT_FALSE(progress.wants_empty_append) << "sent after the heartbeat";
  progress.heartbeat_leaves();
  EXPECT_TRUE(progress.acknowledge(Index(5)));
  progress.recover();
  EXPECT_FALSE(progress.wants_empty_append) << "answered";
  progress.sent(Index(6), 10);
  progress.heartbeat_leaves();
  progress.recover();
  EXPECT_TRUE(progress.wants_empty_append);
}

TEST(Progress, snapshot_sends_nothing_but_offers) {
  Progress progress = replicating(4);
  progress.sent(Index(5), 10);
  progress.become_snapshot();
  EXPECT_FALSE(progress.may_send(kFlow));
  EXPECT_EQ(progress.window.count(), 0U);
  progress.offered = true;
  progress.recover();
  EXPECT_FALSE(progress.offered) << "the next output offers again";
}

}  // namespace
}  // namespace parley::raft
