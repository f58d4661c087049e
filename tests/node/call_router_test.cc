// A call that this node cannot answer goes to whoever leads, ends once, and is "refused" only where nothing
// can have happened; a peer's call is answered by a leader that can, or not at all (design.md, rules 6 and
// 16).
#include "node/call_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Answer = std::optional<base::Result<std::string>>;

struct Sent {
  base::NodeId to;
  PeerMessage message;
};

CallToLeader read_call() { return {.call = {.method = "S/Read", .request = base::Payload("r")}}; }
CallToLeader write_call() {
  return {.call = {.method = "S/Write", .request = base::Payload("w")}, .is_write = true};
}
CallToLeader log_in_call() {
  return {
      .call = {.method = "S/LogIn", .request = base::Payload("l")}, .is_write = true, .is_repeatable = false};
}

constexpr std::uint64_t kFirstForwardId = 1;

class CallRouterTest : public ::testing::Test {
 protected:
  std::shared_ptr<Answer> submit(CallToLeader what, milliseconds deadline = milliseconds(10'000)) {
    auto answer = std::make_shared<Answer>();
    auto call = std::make_unique<PendingCall>();
    call->what = std::move(what);
    call->what.deadline = now_ + deadline;
    call->done = [answer](base::Result<std::string> result) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = std::move(result);
    };
    router_.submit(std::move(call), now_);
    return answer;
  }
  void follow(std::optional<raft::Member> leader, std::uint64_t term) {
    log_.follow(leader, term);
    router_.on_status(log_.now, now_);
  }
  void lead(std::uint64_t term) {
    log_.lead(1, term);
    router_.on_status(log_.now, now_);
  }
  void pass(milliseconds time) {
    now_ += time;
    router_.tick(now_);
  }
  void reply(std::size_t at, std::variant<CallFailure, base::Payload, base::Error> answer) {
    router_.on_reply(member(sent_.at(at).to.value()),
                     {.forward_id = forwarded(at).forward_id, .answer = std::move(answer)}, now_);
  }
  ForwardCall forwarded(std::size_t at) { return std::get<ForwardCall>(sent_.at(at).message); }
  static base::Error refusal() {
    return base::refused(base::Code::unauthenticated, "SESSION_ENDED", "The session has ended.");
  }

  SteadyTime now_{milliseconds(1'000'000)};
  FakeLog log_;
  std::vector<Sent> sent_;
  std::vector<ForwardCall> served_;
  bool can_send_ = true;
  bool has_room_ = true;
  CallRouter router_{[this](base::NodeId to, PeerMessage message) {
                       if (can_send_) {
                         sent_.push_back({to, std::move(message)});
                       }
                       return can_send_;
                     },
                     [this](const raft::Member&, ForwardCall& forward) {
                       if (has_room_) {
                         served_.push_back(std::move(forward));
                       }
                       return has_room_;
                     },
                     CallLimits{}, kFirstForwardId, now_};
};

// ---- the node that was called ----

TEST_F(CallRouterTest, TheLeaderIsAskedAndItsAnswerComesBack) {
  follow(member(2), 5);
  const auto answer = submit(read_call(), milliseconds(700));
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].to, base::NodeId(2));
  EXPECT_EQ(forwarded(0).deadline_ms, 700U);
  EXPECT_EQ(forwarded(0).call, read_call().call);
  reply(0, base::Payload("page"));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(**answer, base::Result<std::string>("page"));
  const auto refused = submit(write_call());
  reply(1, refusal());
  ASSERT_TRUE(refused->has_value());
  EXPECT_EQ((*refused)->error(), refusal()) << "an answer as any other";
}

TEST_F(CallRouterTest, AnAnswerOfAnotherLifeOfTheLeaderOrToNoCallIsNone) {
  follow(member(2), 5);
  const auto answer = submit(read_call());
  router_.on_reply(member(2, 99), {.forward_id = forwarded(0).forward_id, .answer = base::Payload("x")},
                   now_);
  router_.on_reply(member(2), {.forward_id = 77, .answer = base::Payload("x")}, now_);
  EXPECT_FALSE(answer->has_value());
}

TEST_F(CallRouterTest, ItWaitsForALeaderAndIsRefusedAfterTwoSecondsWithoutOne) {
  const auto early = submit(write_call());
  EXPECT_THAT(sent_, IsEmpty());
  pass(milliseconds(1900));
  EXPECT_FALSE(early->has_value());
  pass(milliseconds(200));
  ASSERT_TRUE(early->has_value());
  EXPECT_EQ((*early)->error().code, base::Code::unavailable);
  EXPECT_EQ((*early)->error().outcome, base::Outcome::refused);
  const auto late = submit(read_call());
  ASSERT_TRUE(late->has_value()) << "at once";
}

TEST_F(CallRouterTest, WhereTheLeaderDoesNotServeItThePresentOneIsAskedAgain) {
  follow(member(2), 5);
  const auto answer = submit(write_call());
  reply(0, CallFailure::not_served);
  pass(milliseconds(20));
  EXPECT_THAT(sent_, SizeIs(1)) << "not at every tick";
  pass(milliseconds(100));
  ASSERT_THAT(sent_, SizeIs(2));
  EXPECT_NE(forwarded(1).forward_id, forwarded(0).forward_id);
  reply(1, CallFailure::not_served);
  follow(member(3), 6);
  ASSERT_THAT(sent_, SizeIs(3)) << "a new leader at once";
  EXPECT_EQ(sent_[2].to, base::NodeId(3));
  reply(2, refusal());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::refused) << "no attempt was begun before";
}

TEST_F(CallRouterTest, AReadGoesToTheNextLeaderWhateverBecameOfTheFirstAttempt) {
  follow(member(2), 5);
  const auto answer = submit(read_call());
  router_.on_link_down(member(2), now_);
  ASSERT_THAT(sent_, SizeIs(2)) << "still the leader, as far as this node knows";
  can_send_ = false;
  router_.on_link_down(member(2), now_);
  follow(std::nullopt, 5);
  can_send_ = true;
  follow(member(3), 6);
  ASSERT_THAT(sent_, SizeIs(3));
  EXPECT_EQ(sent_[2].to, base::NodeId(3));
  reply(0, base::Payload("late"));
  EXPECT_FALSE(answer->has_value()) << "that attempt was given up";
  reply(2, refusal());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::refused) << "a read leaves nothing behind";
}

// Rule 6: the first attempt may be in a log.
TEST_F(CallRouterTest, AWriteWhoseAnswerWasLostIsSentAgainAndNeverRefusedAnyMore) {
  follow(member(2), 5);
  const auto answer = submit(write_call());
  router_.on_link_down(member(2), now_);
  follow(member(3), 6);
  ASSERT_FALSE(answer->has_value());
  EXPECT_EQ(sent_.back().to, base::NodeId(3));
  EXPECT_EQ(forwarded(sent_.size() - 1).call, write_call().call) << "the same bytes";
  reply(sent_.size() - 1, refusal());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().code, base::Code::unauthenticated);
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(CallRouterTest, WhatTheLogDecidedIsFinalAllTheSame) {
  follow(member(2), 5);
  const auto answer = submit(write_call());
  reply(0, CallFailure::lost);
  pass(milliseconds(100));
  ASSERT_THAT(sent_, SizeIs(2));
  base::Error decided = refusal();
  decided.position = base::Position(9);
  reply(1, decided);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error(), decided);
}

TEST_F(CallRouterTest, AWriteWithoutRequestIdIsNeverSentASecondTime) {
  follow(member(2), 5);
  const auto answer = submit(log_in_call());
  follow(member(3), 6);
  pass(milliseconds(7'000));
  EXPECT_FALSE(answer->has_value()) << "its answer may still come";
  router_.on_link_down(member(2), now_);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().code, base::Code::unavailable);
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
  EXPECT_THAT(sent_, SizeIs(1));
  const auto begun = submit(log_in_call());
  reply(1, CallFailure::lost);
  ASSERT_TRUE(begun->has_value());
  EXPECT_EQ((*begun)->error().outcome, base::Outcome::unknown);
}

TEST_F(CallRouterTest, AWriteWithoutRequestIdThatWasNotBegunGoesOn) {
  follow(member(2), 5);
  const auto answer = submit(log_in_call());
  reply(0, CallFailure::not_served);
  follow(member(3), 6);
  ASSERT_THAT(sent_, SizeIs(2));
  reply(1, base::Payload("token"));
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE((*answer)->has_value());
}

TEST_F(CallRouterTest, WithoutAnAnswerItIsSentAgain) {
  follow(member(2), 5);
  const auto answer = submit(read_call());
  pass(milliseconds(5'900));
  EXPECT_THAT(sent_, SizeIs(1));
  pass(milliseconds(200));
  ASSERT_THAT(sent_, SizeIs(2));
  reply(1, base::Payload("page"));
  EXPECT_TRUE(answer->has_value());
}

TEST_F(CallRouterTest, AnAnswerThatComesAfterItWasSentAgainCounts) {
  follow(member(2), 5);
  const auto answer = submit(write_call());
  pass(milliseconds(6'000));
  ASSERT_THAT(sent_, SizeIs(2));
  reply(0, base::Payload("done at last"));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(**answer, base::Result<std::string>("done at last"));
  reply(1, base::Payload("done at last"));  // the other one finds nobody: no second answer
}

TEST_F(CallRouterTest, WhatMayHaveHappenedAndCannotBeMadeTwiceIsNotSent) {
  follow(member(2), 5);
  CallToLeader what = log_in_call();
  what.may_have_happened = true;
  const auto answer = submit(std::move(what));
  EXPECT_THAT(sent_, SizeIs(0));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(CallRouterTest, TheDeadlineEndsItWhereverItIs) {
  const auto waiting = submit(write_call(), milliseconds(500));
  pass(milliseconds(500));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error().code, base::Code::deadline_exceeded);
  EXPECT_EQ((*waiting)->error().outcome, base::Outcome::refused) << "it reached nobody";
  follow(member(2), 5);
  const auto read = submit(read_call(), milliseconds(500));
  const auto write = submit(write_call(), milliseconds(500));
  const auto not_served = submit(write_call(), milliseconds(500));
  reply(2, CallFailure::not_served);
  can_send_ = false;
  pass(milliseconds(500));
  ASSERT_TRUE(read->has_value() && write->has_value() && not_served->has_value());
  EXPECT_EQ((*read)->error().code, base::Code::deadline_exceeded);
  EXPECT_EQ((*read)->error().outcome, base::Outcome::refused);
  EXPECT_EQ((*write)->error().outcome, base::Outcome::unknown);
  EXPECT_EQ((*not_served)->error().outcome, base::Outcome::refused);
}

TEST_F(CallRouterTest, WithoutALinkItWaitsForOne) {
  follow(member(2), 5);
  can_send_ = false;
  const auto answer = submit(read_call());
  pass(milliseconds(100));
  EXPECT_FALSE(answer->has_value());
  can_send_ = true;
  router_.on_link_up(now_);
  EXPECT_THAT(sent_, SizeIs(1));
}

// A leader that cannot apply is about to hand over; one that can applies, and cannot be read.
TEST_F(CallRouterTest, ALeaderHandsOverFirst) {
  router_.may_serve(false);
  lead(5);
  const auto answer = submit(read_call());
  EXPECT_FALSE(answer->has_value());
  EXPECT_THAT(sent_, IsEmpty());
  follow(member(3), 6);
  EXPECT_THAT(sent_, SizeIs(1));
  router_.may_serve(true);
  lead(7);
  ASSERT_TRUE(answer->has_value()) << "nobody else is there to ask";
  EXPECT_EQ((*answer)->error().code, base::Code::unavailable);
}

TEST_F(CallRouterTest, AWriteThatThisNodeHasProposedIsNotRefused) {
  CallToLeader proposed = write_call();
  proposed.may_have_happened = true;
  const auto answer = submit(proposed, milliseconds(500));
  pass(milliseconds(500));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(CallRouterTest, TheEndOfTheNodeAnswersAll) {
  follow(member(2), 5);
  const auto sent = submit(write_call());
  can_send_ = false;
  const auto waiting = submit(write_call());
  router_.stop();
  ASSERT_TRUE(sent->has_value() && waiting->has_value());
  EXPECT_EQ((*sent)->error().outcome, base::Outcome::unknown);
  EXPECT_EQ((*waiting)->error().outcome, base::Outcome::refused);
}

// ---- the node that is asked ----

TEST_F(CallRouterTest, OnlyALeaderThatCanApplyAnswersAPeer) {
  const ForwardCall forward{.forward_id = 4, .deadline_ms = 100, .call = read_call().call};
  const auto refusals = [&] {
    std::size_t count = 0;
    for (const Sent& sent : sent_) {
      const auto* reply = std::get_if<CallReply>(&sent.message);
      EXPECT_TRUE(reply != nullptr) << "it goes no further";
      if (reply != nullptr && sent.to == base::NodeId(3)) {
        EXPECT_EQ(*reply, (CallReply{.forward_id = 4, .answer = CallFailure::not_served}));
        ++count;
      }
    }
    return count;
  };
  follow(member(2), 5);
  router_.on_forward(member(3), forward);
  EXPECT_EQ(refusals(), 1U) << "not the leader";
  lead(6);
  router_.may_serve(false);
  router_.on_forward(member(3), forward);
  EXPECT_EQ(refusals(), 2U) << "its state is broken, too";
  EXPECT_THAT(served_, IsEmpty());
  router_.may_serve(true);
  router_.on_forward(member(3), forward);
  ASSERT_THAT(served_, SizeIs(1));
  EXPECT_EQ(served_[0], forward);
  EXPECT_EQ(refusals(), 2U);
}

TEST_F(CallRouterTest, TooManyCallsOfPeersAreRefused) {
  lead(6);
  has_room_ = false;
  router_.on_forward(member(3), {.forward_id = 4, .deadline_ms = 100, .call = read_call().call});
  ASSERT_THAT(sent_, SizeIs(1));
  const auto reply = std::get<CallReply>(sent_[0].message);
  ASSERT_TRUE(std::holds_alternative<base::Error>(reply.answer));
  EXPECT_EQ(std::get<base::Error>(reply.answer).code, base::Code::resource_exhausted);
  EXPECT_GT(std::get<base::Error>(reply.answer).retry_after_ms, 0U);
}

}  // namespace
}  // namespace parley::node::testing
