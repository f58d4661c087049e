// Any two of five nodes are killed, restarted and killed again while dependent requests go on; and what is
// left when three are dead.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <utility>

#include "tests/process/cluster.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::IsEmpty;

constexpr std::chrono::seconds kMostGap{15};

void kill_two(Cluster& cluster, std::pair<int, int> pair) {
  // Both at once.
  cluster.stop(pair.first, SIGKILL);
  cluster.stop(pair.second, SIGKILL);
}

void start_two(Cluster& cluster, std::pair<int, int> pair) {
  cluster.start(pair.first);
  cluster.start(pair.second);
}

// Nothing that was acknowledged is missing, nothing is there twice, and every node tells the same order.
void check(Cluster& cluster, Talk& talk) {
  talk.finish();
  cluster.wait_for_leader();
  EXPECT_THAT(talk.complaints(), IsEmpty());
  ASSERT_GT(talk.acknowledged().size(), 0U);
  for (const int node : cluster.ids()) {
    EXPECT_EQ(inbox_of(cluster, {node}, talk.recipient_token()), talk.acknowledged()) << "node " << node;
  }
  fmt::print("{} messages acknowledged; longest gap {} ms\n", talk.acknowledged().size(),
             talk.longest_gap().count());
  EXPECT_LT(talk.longest_gap(), kMostGap);
}

TEST(FaultToleranceSuite, AnyTwoOfFiveAreKilledRestartedAndKilledAgain) {
  Cluster cluster(5);
  cluster.wait_for_leader();
  Talk talk(cluster, "ann", "bob");
  talk.wait_for_more(10);
  for (int first = 1; first <= 5; ++first) {
    for (int second = first + 1; second <= 5; ++second) {
      SCOPED_TRACE(fmt::format("nodes {} and {}", first, second));
      for (int round = 0; round < 2; ++round) {
        kill_two(cluster, {first, second});
        talk.wait_for_more(10);
        start_two(cluster, {first, second});
        talk.wait_for_more(10);
      }
    }
  }
  check(cluster, talk);
}

TEST(FaultToleranceSuite, TheLeaderAndOneMoreAreKilledAgainAndAgain) {
  Cluster cluster(5);
  Talk talk(cluster, "ann", "bob");
  for (int round = 0; round < 5; ++round) {
    const int leader = cluster.wait_for_leader();
    const std::pair pair{leader, cluster.any_follower(leader)};
    kill_two(cluster, pair);
    talk.wait_for_more(10);
    start_two(cluster, pair);
    talk.wait_for_more(10);
  }
  check(cluster, talk);
}

TEST(FaultToleranceSuite, TwoFrozenNodesAreSurvivedAndComeBack) {
  Cluster cluster(5);
  Talk talk(cluster, "ann", "bob");
  for (int round = 0; round < 2; ++round) {
    const int leader = cluster.wait_for_leader();
    const int other = cluster.any_follower(leader);
    cluster.freeze(leader);
    cluster.freeze(other);
    talk.wait_for_more(10);
    cluster.thaw(leader);
    cluster.thaw(other);
    talk.wait_for_more(10);
  }
  check(cluster, talk);
}

class ThreeOfFiveDead : public ::testing::TestWithParam<bool> {};

TEST_P(ThreeOfFiveDead, WritesAreRefusedStaleReadsWorkAndAllIsBackWithOneMore) {
  const bool with_leader = GetParam();
  Cluster cluster(5);
  const int leader = cluster.wait_for_leader();
  const auto everywhere = cluster.client();
  const std::string bob = sign_up(*everywhere, "bob");
  everywhere->set_token(bob);
  v1::SendMessageRequest note;
  note.set_recipient("bob");
  note.set_body("before");
  const auto before = everywhere->send_message(note);
  ASSERT_TRUE(std::holds_alternative<client::Done<v1::SendMessageResponse>>(before));
  cluster.wait_until_applied(cluster.ids(),
                             std::get<client::Done<v1::SendMessageResponse>>(before).answer.position());

  std::vector<int> dead;
  for (const int node : cluster.ids()) {
    if (dead.size() < (with_leader ? 2U : 3U) && node != leader) {
      dead.push_back(node);
    }
  }
  if (with_leader) {
    dead.push_back(leader);
  }
  for (const int node : dead) {
    cluster.stop(node, SIGKILL);
  }
  for (const int node : cluster.ids()) {
    if (!cluster.is_running(node)) {
      continue;
    }
    SCOPED_TRACE(fmt::format("node {}", node));
    const auto here = cluster.client({node});
    here->set_token(bob);
    ASSERT_TRUE(wait_until([&] {
      const auto status = cluster.status(node);
      return status && !status->writable();
    }));
    note.set_body("while three are dead");
    const auto began = std::chrono::steady_clock::now();
    const auto outcome = here->send_message(note, {.timeout = std::chrono::seconds(5)});
    ASSERT_TRUE(std::holds_alternative<client::Refused>(outcome));
    EXPECT_EQ(std::get<client::Refused>(outcome).error.code, base::Code::unavailable);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));

    v1::ListMessagesRequest list;
    const auto linearizable = here->list_messages(list, {.timeout = std::chrono::seconds(3)});
    ASSERT_FALSE(linearizable.has_value());
    list.set_stale(true);
    const auto stale = here->list_messages(list);
    ASSERT_TRUE(stale.has_value()) << stale.error().message;
    ASSERT_EQ(stale->messages_size(), 1);
    EXPECT_EQ(stale->messages(0).body(), "before");
    ASSERT_TRUE(stale->as_of().has_age_ms());
    const auto age_ms = stale->as_of().age_ms();
    EXPECT_TRUE(wait_until([&] {
      const auto later = here->list_messages(list);
      return later && later->as_of().age_ms() > age_ms;
    })) << "a stale answer gets older";
  }
  cluster.start(dead.front());
  note.set_body("after");
  ASSERT_TRUE(std::holds_alternative<client::Done<v1::SendMessageResponse>>(everywhere->send_message(note)));
  const auto messages = inbox_of(cluster, {}, bob);
  ASSERT_EQ(messages.size(), 2U) << "what was refused did not happen";
  EXPECT_EQ(messages[0].body, "before");
  EXPECT_EQ(messages[1].body, "after");
}

INSTANTIATE_TEST_SUITE_P(FaultToleranceSuite, ThreeOfFiveDead, ::testing::Bool(),
                         [](const auto& with_leader) {
                           return std::string(with_leader.param ? "TheLeaderAmongThem" : "TheLeaderLives");
                         });

}  // namespace
}  // namespace parley::testing
