// Every write ends once, and "refused" is said only where nothing can have happened (design.md, rule 6).
#include "node/write_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/command.h"
#include "node/stamped_entry.h"
#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::SizeIs;

using Answer = std::optional<base::Result<chat::CommandResult>>;

struct Sent {
  base::NodeId to;
  PeerMessage message;
};

constexpr std::uint64_t kFirstForwardId = 1;

class WriteRouterTest : public ::testing::Test {
 protected:
  std::shared_ptr<Answer> submit(milliseconds deadline = milliseconds(10'000)) {
    auto answer = std::make_shared<Answer>();
    auto write = std::make_unique<PendingWrite>();
    write->command = base::Payload(chat::encode(chat::Tick{}));
    write->deadline = now_ + deadline;
    write->done = [answer](base::Result<chat::CommandResult> result) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = std::move(result);
    };
    router_.submit(std::move(write), now_);
    return answer;
  }
  void status() { router_.on_status(log_.now, now_); }
  void pass(milliseconds time) {
    now_ += time;
    router_.tick(now_);
  }
  ForwardWrite forwarded(std::size_t at) { return std::get<ForwardWrite>(sent_.at(at).message); }
  ForwardReply replied(std::size_t at) { return std::get<ForwardReply>(sent_.at(at).message); }
  static chat::CommandResult result(std::uint64_t position) {
    chat::CommandResult value;
    value.position = base::Position(position);
    return value;
  }
  static base::Error overloaded() {
    return base::refused(base::Code::resource_exhausted, "OVERLOADED", "busy");
  }

  SteadyTime now_{milliseconds(1'000'000)};
  FakeLog log_;
  ClusterClock clock_{chat::Stamp{}};
  std::vector<Sent> sent_;
  bool can_send_ = true;
  WriteRouter router_{log_,
                      clock_,
                      [this](base::NodeId to, PeerMessage message) {
                        if (can_send_) {
                          sent_.push_back({to, std::move(message)});
                        }
                        return can_send_;
                      },
                      WriteLimits{},
                      kFirstForwardId,
                      now_};
};

TEST_F(WriteRouterTest, TheLeaderProposesAndTheEntryFindsItsWriter) {
  log_.lead(1, 5);
  status();
  const auto answer = submit();
  ASSERT_THAT(log_.entries, SizeIs(1));
  auto items = router_.claim(log_.entries);
  ASSERT_THAT(items, SizeIs(1));
  ASSERT_TRUE(std::holds_alternative<PendingWritePtr>(items[0].writer));
  EXPECT_FALSE(answer->has_value()) << "not applied yet";
  EXPECT_EQ(read_stamped_entry(items[0].entry.data.view())->command, chat::encode(chat::Tick{}));
}

TEST_F(WriteRouterTest, AFollowerForwardsAndTellsTheResult) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].to, base::NodeId(2));
  router_.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = result(7)});
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((**answer)->position, base::Position(7));
}

TEST_F(WriteRouterTest, AnAnswerOfAnotherLifeOfTheLeaderIsNone) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  router_.on_reply(member(2, 99), {.forward_id = forwarded(0).forward_id, .answer = result(7)});
  EXPECT_FALSE(answer->has_value());
}

TEST_F(WriteRouterTest, AWriteWaitsForALeaderAndIsRefusedAfterTwoSecondsWithoutOne) {
  const auto early = submit();
  EXPECT_FALSE(early->has_value());
  pass(milliseconds(1900));
  EXPECT_FALSE(early->has_value());
  pass(milliseconds(200));
  ASSERT_TRUE(early->has_value());
  EXPECT_EQ((*early)->error().code, base::Code::unavailable);
  EXPECT_EQ((*early)->error().outcome, base::Outcome::refused);
  const auto late = submit();
  ASSERT_TRUE(late->has_value()) << "at once";
}

TEST_F(WriteRouterTest, WithoutALeaderWhatWasSentIsUnknown) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  router_.on_link_down(member(2), now_);
  log_.follow(std::nullopt, 5);
  status();
  pass(milliseconds(2100));
  // The link is still up as far as `send` knows, but nobody leads: it can go nowhere.
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(WriteRouterTest, TheSameBytesGoToTheNextLeader) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  log_.follow(member(3), 6);
  status();
  ASSERT_THAT(sent_, SizeIs(2));
  EXPECT_EQ(sent_[1].to, base::NodeId(3));
  EXPECT_EQ(forwarded(0).command, forwarded(1).command);
  EXPECT_NE(forwarded(0).forward_id, forwarded(1).forward_id);
  router_.on_reply(member(3), {.forward_id = forwarded(1).forward_id, .answer = result(7)});
  EXPECT_TRUE(answer->has_value() && (*answer)->has_value());
}

// J6: the first leader takes the write and dies, the second refuses for overload.
TEST_F(WriteRouterTest, J6ARefusalNeverOverridesAnEarlierUnknown) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  log_.follow(member(3), 6);
  status();
  router_.on_reply(member(3), {.forward_id = forwarded(1).forward_id, .answer = overloaded()});
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(WriteRouterTest, J6TheSameWhereThisNodeIsTheSecondLeader) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  log_.lead(1, 6);
  log_.refusal = ProposeRefusal::overloaded;
  status();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().code, base::Code::resource_exhausted);
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(WriteRouterTest, J6TheSameWhereThisNodeWasTheFirstLeader) {
  log_.lead(1, 5);
  status();
  const auto answer = submit();
  log_.follow(member(2), 6);
  status();
  ASSERT_THAT(sent_, SizeIs(1));
  router_.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = overloaded()});
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(WriteRouterTest, AFirstRefusalIsRefused) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  router_.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = overloaded()});
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::refused);
}

TEST_F(WriteRouterTest, WhatTheLeaderDidNotProposeIsSentAgainAndStaysRefusable) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  router_.on_reply(member(2),
                   {.forward_id = forwarded(0).forward_id, .answer = ForwardFailure::not_proposed});
  EXPECT_THAT(sent_, SizeIs(1)) << "not at once: it would ask the same node again";
  pass(milliseconds(20));
  ASSERT_THAT(sent_, SizeIs(2));
  router_.on_reply(member(2), {.forward_id = forwarded(1).forward_id, .answer = overloaded()});
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::refused);
}

TEST_F(WriteRouterTest, WhatWasLostWithItsLeaderIsUnknownUntilAResultComes) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit(milliseconds(500));
  router_.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = ForwardFailure::lost});
  can_send_ = false;
  pass(milliseconds(600));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().code, base::Code::deadline_exceeded);
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
}

TEST_F(WriteRouterTest, ADeadlineBeforeAnythingWasSentIsRefused) {
  log_.follow(member(2), 5);
  status();
  can_send_ = false;
  const auto answer = submit(milliseconds(500));
  pass(milliseconds(600));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::refused);
}

TEST_F(WriteRouterTest, ADeadlineOfAProposedWriteIsUnknownAndItsEntryGoesOn) {
  log_.lead(1, 5);
  status();
  const auto answer = submit(milliseconds(500));
  pass(milliseconds(600));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
  const auto items = router_.claim(log_.entries);
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(items[0].writer));
}

TEST_F(WriteRouterTest, ALostAnswerIsAskedForAgain) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  pass(milliseconds(1600));
  ASSERT_THAT(sent_, SizeIs(2));
  EXPECT_EQ(forwarded(0).command, forwarded(1).command);
  router_.on_reply(member(2), {.forward_id = forwarded(1).forward_id, .answer = result(7)});
  EXPECT_TRUE(answer->has_value() && (*answer)->has_value());
}

// A leader that takes longer than the wait before it is asked again is heard all the same.
TEST_F(WriteRouterTest, AnAnswerThatComesAfterItWasAskedForAgainCounts) {
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  const std::uint64_t first = forwarded(0).forward_id;
  pass(milliseconds(1600));
  router_.on_reply(member(2), {.forward_id = first, .answer = result(7)});
  EXPECT_TRUE(answer->has_value() && (*answer)->has_value());
}

TEST_F(WriteRouterTest, WhatIsAskedForAgainIsNotProposedAgainWhileItIsUnderWay) {
  log_.lead(1, 5);
  status();
  const ForwardWrite write{
      .forward_id = 44, .deadline_ms = 1000, .command = base::Payload(chat::encode(chat::Tick{}))};
  router_.on_forward(member(3), write, now_);
  router_.on_forward(member(3), write, now_);
  EXPECT_THAT(log_.entries, SizeIs(1));
  router_.on_forward(member(2), write, now_);
  EXPECT_THAT(log_.entries, SizeIs(2)) << "another node's";
  EXPECT_THAT(sent_, SizeIs(0));
  EXPECT_THAT(router_.claim(log_.entries), SizeIs(2));
  router_.on_forward(member(3), write, now_);
  EXPECT_THAT(log_.entries, SizeIs(3)) << "its answer may have been lost";
}

// 1. A node forwards a write and is killed; it comes back while the leader still has that write's entry.
// 2. Its new life forwards another client's write.
// 3. The leader's answer to the first must not be told to the second.
TEST_F(WriteRouterTest, AnAnswerForAnEarlierLifeOfThisNodeFindsNobody) {
  log_.follow(member(2), 5);
  status();
  static_cast<void>(submit());
  WriteRouter next_life(
      log_, clock_,
      [this](base::NodeId to, PeerMessage message) {
        sent_.push_back({to, std::move(message)});
        return true;
      },
      WriteLimits{}, 1'000'000, now_);
  bool is_answered = false;
  auto write = std::make_unique<PendingWrite>();
  write->command = base::Payload(chat::encode(chat::Tick{}));
  write->deadline = now_ + milliseconds(10'000);
  write->done = [&is_answered](const base::Result<chat::CommandResult>&) { is_answered = true; };
  next_life.submit(std::move(write), now_);
  ASSERT_THAT(sent_, SizeIs(2));
  next_life.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = result(7)});
  EXPECT_FALSE(is_answered);
  next_life.on_reply(member(2), {.forward_id = forwarded(1).forward_id, .answer = result(8)});
  EXPECT_TRUE(is_answered);
}

// The one verdict that a later attempt may find otherwise: the first one may still be executed.
TEST_F(WriteRouterTest, AnIdAheadIsNoRefusalWhileAnEarlierAttemptMayBeUnderWay) {
  chat::CommandResult ahead = result(7);
  ahead.verdict = chat::Verdict::request_id_ahead;
  log_.follow(member(2), 5);
  status();
  const auto first = submit();
  router_.on_reply(member(2), {.forward_id = forwarded(0).forward_id, .answer = ahead});
  ASSERT_TRUE(first->has_value() && (*first)->has_value()) << "a result as any other";
  const auto second = submit();
  log_.follow(member(3), 6);
  status();
  router_.on_reply(member(3), {.forward_id = forwarded(2).forward_id, .answer = ahead});
  ASSERT_TRUE(second->has_value());
  ASSERT_FALSE((*second)->has_value());
  EXPECT_EQ((*second)->error().outcome, base::Outcome::unknown);
  EXPECT_EQ((*second)->error().reason, "REQUEST_ID_AHEAD");
}

// Its result may be what was forgotten.
TEST_F(WriteRouterTest, AForgottenIdDecidesNothingWhereThisNodeMayHaveSentTheWriteTwice) {
  chat::CommandResult forgotten = result(7);
  forgotten.verdict = chat::Verdict::request_id_forgotten;
  log_.follow(member(2), 5);
  status();
  const auto answer = submit();
  log_.follow(member(3), 6);
  status();
  router_.on_reply(member(3), {.forward_id = forwarded(1).forward_id, .answer = forgotten});
  ASSERT_TRUE(answer->has_value());
  ASSERT_FALSE((*answer)->has_value());
  EXPECT_EQ((*answer)->error().outcome, base::Outcome::unknown);
  EXPECT_FALSE((*answer)->error().is_final());
}

TEST_F(WriteRouterTest, AnEntryOfAnotherLeaderAtTheSamePlaceIsNotTheWriters) {
  log_.lead(1, 5);
  status();
  const auto answer = submit();
  raft::Entry other{raft::Index(1), raft::Term(6), raft::EntryKind::command, make_stamped_entry({}, "other")};
  const auto items = router_.claim({other});
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(items[0].writer));
  EXPECT_FALSE(answer->has_value()) << "it is proposed again";
}

TEST_F(WriteRouterTest, OriginsOfLostEntriesAreTold) {
  log_.lead(1, 5);
  status();
  router_.on_forward(
      member(3),
      {.forward_id = 44, .deadline_ms = 1000, .command = base::Payload(chat::encode(chat::Tick{}))}, now_);
  EXPECT_THAT(log_.entries, SizeIs(1));
  log_.follow(std::nullopt, 6);
  status();
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].to, base::NodeId(3));
  EXPECT_EQ(replied(0).forward_id, 44U);
  EXPECT_EQ(std::get<ForwardFailure>(replied(0).answer), ForwardFailure::lost);
}

TEST_F(WriteRouterTest, ANodeThatDoesNotLeadProposesNothingForOthers) {
  log_.follow(member(2), 5);
  status();
  router_.on_forward(
      member(3),
      {.forward_id = 44, .deadline_ms = 1000, .command = base::Payload(chat::encode(chat::Tick{}))}, now_);
  EXPECT_EQ(std::get<ForwardFailure>(replied(0).answer), ForwardFailure::not_proposed);
}

TEST_F(WriteRouterTest, BytesThatAreNoCommandStayOutOfTheLog) {
  log_.lead(1, 5);
  status();
  router_.on_forward(member(3),
                     {.forward_id = 44, .deadline_ms = 1000, .command = base::Payload("\xff garbage")}, now_);
  EXPECT_THAT(log_.entries, SizeIs(0));
  EXPECT_EQ(std::get<base::Error>(replied(0).answer).code, base::Code::invalid_argument);
}

// Of this node's clients and of other nodes' together; what is committed makes room.
TEST_F(WriteRouterTest, BeyondWhatMayWaitForAMajorityItIsRefused) {
  log_.lead(1, 5);
  WriteRouter router{log_,
                     clock_,
                     [this](base::NodeId to, PeerMessage message) {
                       sent_.push_back({to, std::move(message)});
                       return true;
                     },
                     {.max_proposed = 2},
                     kFirstForwardId,
                     now_};
  const auto forward = [&](std::uint64_t id) {
    router.on_forward(
        member(3),
        {.forward_id = id, .deadline_ms = 1000, .command = base::Payload(chat::encode(chat::Tick{}))}, now_);
  };
  const auto submit_here = [&] {
    auto answer = std::make_shared<Answer>();
    auto write = std::make_unique<PendingWrite>();
    write->command = base::Payload(chat::encode(chat::Tick{}));
    write->deadline = now_ + std::chrono::minutes(1);
    write->done = [answer](base::Result<chat::CommandResult> result) { *answer = std::move(result); };
    router.submit(std::move(write), now_);
    return answer;
  };
  const auto first = submit_here();
  forward(7);
  const auto refused = submit_here();
  forward(8);
  EXPECT_THAT(log_.entries, SizeIs(2));
  EXPECT_FALSE(first->has_value());
  ASSERT_TRUE(refused->has_value() && !(*refused)->has_value());
  EXPECT_EQ((*refused)->error().code, base::Code::resource_exhausted);
  EXPECT_EQ((*refused)->error().outcome, base::Outcome::refused);
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(replied(0).forward_id, 8U);
  ASSERT_TRUE(std::holds_alternative<base::Error>(replied(0).answer));
  EXPECT_EQ(std::get<base::Error>(replied(0).answer).outcome, base::Outcome::refused);
  EXPECT_THAT(router.claim(log_.entries), SizeIs(2));
  forward(8);
  EXPECT_THAT(log_.entries, SizeIs(3));
}

TEST_F(WriteRouterTest, AtTheEndEverybodyIsToldWhatCanBeKnown) {
  const auto waiting = submit();
  log_.lead(1, 5);
  log_.refusal = ProposeRefusal::handing_over;
  status();
  EXPECT_FALSE(waiting->has_value());
  log_.refusal.reset();
  pass(milliseconds(20));
  log_.refusal = ProposeRefusal::handing_over;
  const auto never_sent = submit();
  router_.stop();
  EXPECT_EQ((*waiting)->error().outcome, base::Outcome::unknown);
  EXPECT_EQ((*never_sent)->error().outcome, base::Outcome::refused);
}

}  // namespace
}  // namespace parley::node::testing
