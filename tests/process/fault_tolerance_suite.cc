// Any two of five nodes are killed, frozen or stopped, come back and go again while dependent requests go on;
// all five are restarted one after the other; and what is left when three are dead.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tests/process/cluster.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kMostGap{15};

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kIsSlowBuild = true;
#else
constexpr bool kIsSlowBuild = false;
#endif

// By which the pairs go. Where a sanitizer makes every round slow, SIGKILL alone, unless all are asked for.
std::vector<int> signals_of_pairs() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  if (kIsSlowBuild && std::getenv("PARLEY_ALL_PAIRS") == nullptr) {
    return {SIGKILL};
  }
  return {SIGKILL, SIGSTOP, SIGTERM};
}

void go_both(Cluster& cluster, std::pair<int, int> pair, int signal) {
  if (signal == SIGSTOP) {
    cluster.freeze(pair.first);
    cluster.freeze(pair.second);
  } else {
    cluster.stop(std::vector{pair.first, pair.second}, signal);
  }
}

void come_back_both(Cluster& cluster, std::pair<int, int> pair, int signal) {
  if (signal == SIGSTOP) {
    cluster.thaw(pair.first);
    cluster.thaw(pair.second);
  } else {
    cluster.start(pair.first);
    cluster.start(pair.second);
  }
}

std::vector<int> leader_first(const Cluster& cluster, int leader) {
  std::vector<int> nodes = cluster.all_but(leader);
  nodes.insert(nodes.begin(), leader);
  return nodes;
}

// Each two of these, those of the first one first.
std::vector<std::pair<int, int>> pairs_of(const std::vector<int>& nodes) {
  std::vector<std::pair<int, int>> pairs;
  for (std::size_t first = 0; first < nodes.size(); ++first) {
    for (std::size_t second = first + 1; second < nodes.size(); ++second) {
      pairs.emplace_back(nodes[first], nodes[second]);
    }
  }
  return pairs;
}

std::uint64_t term_of(Cluster& cluster) {
  std::uint64_t term = 0;
  EXPECT_TRUE(wait_until([&] {
    term = cluster.status(cluster.wait_for_leader()).value_or(v1::GetStatusResponse()).term();
    return term != 0;
  }));
  return term;
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

// Whoever has come back knows what was acknowledged meanwhile, a leader of before too.
void expect_up_to_date(const Cluster& cluster, std::pair<int, int> pair, const Talk& talk) {
  for (const int node : {pair.first, pair.second}) {
    const std::uint64_t acknowledged = talk.count();
    EXPECT_GE(inbox_of(cluster, {node}, talk.recipient_token()).size(), acknowledged) << "node " << node;
  }
}

// A frozen node costs each client that asks it a whole attempt. With forty of them these are cut short, and
// the node is left alone for longer; how long people wait is measured where fewer are frozen.
std::unique_ptr<client::Client> client_for(const Cluster& cluster, int signal) {
  client::ClientOptions options = cluster.client_options();
  if (signal == SIGSTOP) {
    options.attempt_timeout = milliseconds(500);
    options.skip.first = milliseconds(3'000);
  }
  return std::make_unique<client::Client>(std::move(options));
}

class EveryPairOfFive : public ::testing::TestWithParam<int> {};

TEST_P(EveryPairOfFive, GoesComesBackAndGoesAgain) {
  const int signal = GetParam();
  Cluster cluster(5);
  const std::uint64_t term = term_of(cluster);
  Talk talk(client_for(cluster, signal), client_for(cluster, signal), "ann", "bob");
  talk.wait_for_more(10);
  // The leader is one of the first to go.
  for (const auto& pair : pairs_of(leader_first(cluster, cluster.wait_for_leader()))) {
    SCOPED_TRACE(fmt::format("nodes {} and {}", pair.first, pair.second));
    for (const bool is_first_time : {true, false}) {
      go_both(cluster, pair, signal);
      talk.wait_for_more(10);
      come_back_both(cluster, pair, signal);
      talk.wait_for_more(10);
      // After the second time the next pair goes at once, whether or not this one has caught up.
      if (is_first_time) {
        expect_up_to_date(cluster, pair, talk);
      }
    }
  }
  check(cluster, talk);
  EXPECT_GT(term_of(cluster), term) << "the leader was among them";
}

INSTANTIATE_TEST_SUITE_P(FaultToleranceSuite, EveryPairOfFive, ::testing::ValuesIn(signals_of_pairs()),
                         [](const auto& signal) {
                           return std::string(signal.param == SIGKILL   ? "BySIGKILL"
                                              : signal.param == SIGSTOP ? "BySIGSTOP"
                                                                        : "BySIGTERM");
                         });

TEST(FaultToleranceSuite, TheLeaderAndOneMoreAreKilledAgainAndAgain) {
  Cluster cluster(5);
  Talk talk(cluster, "ann", "bob");
  for (int round = 0; round < 5; ++round) {
    const int leader = cluster.wait_for_leader();
    const std::pair pair{leader, cluster.any_follower(leader)};
    go_both(cluster, pair, SIGKILL);
    talk.wait_for_more(10);
    come_back_both(cluster, pair, SIGKILL);
    talk.wait_for_more(10);
  }
  check(cluster, talk);
}

TEST(FaultToleranceSuite, TwoFrozenNodesAreSurvivedAndComeBack) {
  Cluster cluster(5);
  Talk talk(cluster, "ann", "bob");
  for (int round = 0; round < 2; ++round) {
    const int leader = cluster.wait_for_leader();
    const std::pair pair{leader, cluster.any_follower(leader)};
    go_both(cluster, pair, SIGSTOP);
    talk.wait_for_more(10);
    come_back_both(cluster, pair, SIGSTOP);
    talk.wait_for_more(10);
  }
  check(cluster, talk);
}

// As for a new version of the program: each node is stopped and started, then the next one, while people
// talk.
TEST(FaultToleranceSuite, ARollingRestartWhilePeopleTalkLosesNothing) {
  constexpr int kTalks = 6;
  Cluster cluster(5);
  const int leader = cluster.wait_for_leader();
  std::vector<std::unique_ptr<Talk>> talks;
  for (int i = 1; i <= kTalks; ++i) {
    talks.push_back(std::make_unique<Talk>(cluster, fmt::format("ann.{}", i), fmt::format("bob.{}", i)));
  }
  const auto wait_for_all = [&] {
    for (const auto& talk : talks) {
      talk->wait_for_more(10);
    }
  };
  wait_for_all();
  milliseconds longest_stop{0};
  for (const int node : leader_first(cluster, leader)) {
    SCOPED_TRACE(fmt::format("node {}", node));
    const auto began = steady_clock::now();
    cluster.stop(node, SIGTERM);  // which has to end it, with exit code 0
    longest_stop =
        std::max(longest_stop, std::chrono::duration_cast<milliseconds>(steady_clock::now() - began));
    wait_for_all();
    cluster.start(node);
    cluster.wait_for_leader();
    wait_for_all();
  }
  for (const auto& talk : talks) {
    check(cluster, *talk);
  }
  fmt::print("a node took {} ms to stop at most\n", longest_stop.count());
}

// One attempt, which the client itself neither gives up nor makes again: what is told is the node's own word.
void expect_refusal_of_a_write(const Cluster& cluster, int node, const std::string& bob) {
  auto options = cluster.client_options({node});
  options.token = bob;
  options.attempt_timeout = options.timeout;
  options.connect_timeout = options.timeout;
  options.keepalive_interval = options.timeout;
  client::Client patient(std::move(options));
  v1::SendMessageRequest note;
  note.set_recipient("bob");
  note.set_body("while three are dead");
  std::stop_source first;
  const auto began = steady_clock::now();
  const auto outcome = patient.send_message(
      note, {.timeout = {}, .stop = first.get_token(), .on_retry = [&](const client::Retry&) {
               first.request_stop();
             }});
  ASSERT_TRUE(std::holds_alternative<client::Refused>(outcome));
  EXPECT_EQ(std::get<client::Refused>(outcome).error.reason, "NO_LEADER");
  // It does not wait for as long as the call may take, a minute.
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(45));
}

// Whoever lives without a majority refuses writes, and answers stale reads that say how old they are.
void expect_stale_reads_only(const Cluster& cluster, int node, const std::string& bob) {
  SCOPED_TRACE(fmt::format("node {}", node));
  expect_refusal_of_a_write(cluster, node, bob);
  const auto here = cluster.client({node});
  here->set_token(bob);
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

// Writes and linearizable reads, through each of these nodes; and what was refused has not happened.
void expect_all_is_back(const Cluster& cluster, const std::vector<int>& nodes, const std::string& bob) {
  std::vector<std::string> sent = {"before"};
  for (const int node : nodes) {
    const auto here = cluster.client({node});
    here->set_token(bob);
    sent.push_back(fmt::format("after, through node {}", node));
    EXPECT_NE(send_note(*here, "bob", sent.back()), 0U) << "node " << node;
  }
  for (const int node : nodes) {
    std::vector<std::string> bodies;
    for (const Acknowledged& message : inbox_of(cluster, {node}, bob)) {
      bodies.push_back(message.body);
    }
    EXPECT_THAT(bodies, ElementsAreArray(sent)) << "node " << node;
  }
}

class ThreeOfFiveDead : public ::testing::TestWithParam<bool> {};

TEST_P(ThreeOfFiveDead, WritesAreRefusedStaleReadsWorkAndAllIsBackWithOneMore) {
  const bool with_leader = GetParam();
  Cluster cluster(5);
  const auto everywhere = cluster.client();
  const int leader = cluster.wait_for_leader();
  const std::string bob = sign_up(*everywhere, "bob");
  everywhere->set_token(bob);
  const std::uint64_t before = send_note(*everywhere, "bob", "before");
  ASSERT_NE(before, 0U);
  cluster.wait_until_applied(cluster.ids(), before);

  std::vector<int> dead = cluster.all_but(leader);
  dead.resize(with_leader ? 2 : 3);
  if (with_leader) {
    dead.push_back(leader);
  }
  cluster.stop(dead, SIGKILL);
  std::vector<int> living = cluster.ids();
  std::erase_if(living, [&](int node) { return std::ranges::find(dead, node) != dead.end(); });
  // None of them sends a write to one that still takes itself for the leader.
  ASSERT_TRUE(wait_until([&] {
    return std::ranges::all_of(living, [&](int node) {
      const auto status = cluster.status(node);
      return status && !status->writable();
    });
  }));
  for (const int node : living) {
    expect_stale_reads_only(cluster, node, bob);
  }
  cluster.start(dead.front());
  living.push_back(dead.front());
  expect_all_is_back(cluster, living, bob);
}

INSTANTIATE_TEST_SUITE_P(FaultToleranceSuite, ThreeOfFiveDead, ::testing::Bool(),
                         [](const auto& with_leader) {
                           return std::string(with_leader.param ? "TheLeaderAmongThem" : "TheLeaderLives");
                         });

}  // namespace
}  // namespace parley::testing
