// RaftLog by hand (rules 10, 11 and 16): ticks, batches that come back when the test says so, and two peers
// that answer or do not. No disk, no thread, no clock.
#include "node/raft_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/raft/testing.h"

namespace parley::node::testing {
namespace {

constexpr int kStallTicks = 8;  // more than half an election timeout

class KeptWorld final : public RaftWorld {
 public:
  void send(raft::Message message) override { sent.push_back(std::move(message)); }
  [[nodiscard]] bool store(raft::StorageBatch& batch) override {
    last_batch = batch.number;
    return true;
  }
  [[nodiscard]] bool fetch(raft::FetchRequest& /*request*/) override { return true; }

  std::vector<raft::Message> sent;
  std::uint64_t last_batch = 0;
};

class RaftLogTest : public ::testing::Test {
 protected:
  RaftLogTest() : log_(raft::Core(config(), {}, raft::Index()), std::chrono::milliseconds(20), world_) {
    log_.found({.configuration = {.voters = raft::testing::members({1, 2, 3})},
                .cluster_id = {},
                .state_seed = std::string(32, 's')});
    take_and_store();
  }

  [[nodiscard]] static raft::Config config() { return {.self = raft::testing::member(1), .seed = 1}; }

  // What came of it goes to the world; the peers answer what was sent to them, if they are alive.
  void take(bool peers_answer = true) {
    (void)log_.take_output(SteadyTime());
    for (const raft::Message& message : std::exchange(world_.sent, {})) {
      timeouts_now_ += std::holds_alternative<raft::TimeoutNow>(message.body) ? 1 : 0;
      if (peers_answer) {
        std::visit([&](const auto& body) { answer(message, body); }, message.body);
      }
    }
  }
  void take_and_store() {
    std::uint64_t stored = 0;
    do {
      take();
      stored = world_.last_batch;
      log_.persisted(stored);
      take();
    } while (stored != world_.last_batch);
  }
  void tick(int times = 1, bool peers_answer = true) {
    for (int i = 0; i < times; ++i) {
      log_.tick();
      take(peers_answer);
    }
  }

  void lead() {
    for (int i = 0; i < 40 && !log_.status().can_commit; ++i) {
      log_.tick();
      take_and_store();
    }
    ASSERT_TRUE(log_.status().is_leader);
    ASSERT_TRUE(log_.status().can_commit);
  }
  // Entry `index` from the leader 2.
  void append(std::uint64_t index) {
    log_.step({.from = raft::testing::member(2),
               .to = raft::testing::member(1),
               .term = raft::Term(2),
               .body = raft::AppendRequest{.prev_index = raft::Index(index - 1),
                                           .prev_term = raft::Term(index == 2 ? 1 : 2),
                                           .commit = raft::Index(1),
                                           .entries = {raft::testing::entry(index, 2)}}});
    take();
    ASSERT_EQ(log_.status().last, raft::Index(index));
  }

  KeptWorld world_;
  RaftLog log_;
  int timeouts_now_ = 0;

 private:
  template <class Body>
  void answer(const raft::Message& to, const Body& body) {
    raft::Message message{.from = to.to, .to = to.from, .term = to.term, .body = {}};
    if constexpr (std::is_same_v<Body, raft::PreVoteRequest>) {
      message.body = raft::PreVoteResponse{.next_term = body.next_term, .granted = true};
    } else if constexpr (std::is_same_v<Body, raft::VoteRequest>) {
      message.body = raft::VoteResponse{.granted = true};
    } else if constexpr (std::is_same_v<Body, raft::HeartbeatRequest>) {
      message.body = raft::HeartbeatResponse{.round = body.round};
    } else if constexpr (std::is_same_v<Body, raft::AppendRequest>) {
      message.body =
          raft::AppendResponse{.match_index = raft::Index(body.prev_index.value() + body.entries.size())};
    } else {
      return;
    }
    log_.step(message);
  }
};

TEST_F(RaftLogTest, AStallOfTheDiskIsOverWithTheWriteThatHungThoughOthersAreOnTheirWay) {
  append(2);
  tick(kStallTicks);
  ASSERT_NE(log_.why_not_leading(), "");
  append(3);
  log_.persisted(world_.last_batch - 1);
  tick();
  EXPECT_EQ(log_.why_not_leading(), "");
  // Under load there is never a tick that finds nothing under way.
  for (std::uint64_t index = 4; index < 40; ++index) {
    append(index);
    log_.persisted(world_.last_batch - 1);
    tick();
    EXPECT_EQ(log_.why_not_leading(), "") << index;
  }
}

TEST_F(RaftLogTest, AProcessThatStoodStillTakesThatForOneTickOfItsDisk) {
  lead();
  ASSERT_TRUE(log_.propose(base::Payload("x")));
  take();
  // However much later: the core loop calls once.
  tick();
  EXPECT_EQ(log_.why_not_leading(), "");
  EXPECT_EQ(timeouts_now_, 0);
  EXPECT_TRUE(log_.propose(base::Payload("y")));
  take();
  tick(kStallTicks);
  EXPECT_NE(log_.why_not_leading(), "") << "a disk that really hangs";
  EXPECT_GT(timeouts_now_, 0);
}

TEST_F(RaftLogTest, ALeaderThatCannotApplyTakesNothingUntilItHasSteppedDown) {
  lead();
  log_.may_lead(false);
  log_.decide_leading();
  take();
  EXPECT_GT(timeouts_now_, 0) << "the best follower is asked to lead";
  int ticks = 0;
  for (; ticks < 40 && log_.status().is_leader; ++ticks) {
    const auto place = log_.propose(base::Payload("given back by apply, proposed again"));
    ASSERT_FALSE(place) << "after " << ticks << " ticks";
    EXPECT_EQ(place.error(), ProposeRefusal::handing_over);
    tick();
  }
  EXPECT_FALSE(log_.status().is_leader);
  EXPECT_GE(ticks, 15) << "an election timeout for the follower";
  const auto place = log_.propose(base::Payload("z"));
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error(), ProposeRefusal::not_leader);
}

}  // namespace
}  // namespace parley::node::testing
