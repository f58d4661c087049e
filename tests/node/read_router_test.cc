// A linearizable read waits for a barrier that was asked for after it came; a failed one is asked for again.
#include "node/read_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReadRouterTest : public ::testing::Test {
 protected:
  ReadRouterTest() {
    log_.follow(member(2), 5);
    router_.on_status(log_.now, now_);
  }
  std::shared_ptr<std::optional<base::Error>> submit(milliseconds deadline = milliseconds(10'000)) {
    auto error = std::make_shared<std::optional<base::Error>>();
    router_.submit(
        {.mode = ReadMode::linearizable,
         .deadline = now_ + deadline,
         .done = [error](base::Result<chat::Reader*> reader,
                         const AsOf&) { *error = reader ? std::nullopt : std::optional(reader.error()); },
         .place = {}});
    return error;
  }
  void pass(milliseconds time) {
    now_ += time;
    boot_now_ += time;
    router_.tick(now_, boot_now_);
    ask();
  }
  void ask() { router_.ask(now_, boot_now_); }
  // The machine sleeps: its monotonic clock stands still.
  void machine_is_off_for(milliseconds time) { boot_now_ += time; }

  SteadyTime now_{milliseconds(1'000'000)};
  BootTime boot_now_{milliseconds(7'000'000)};
  FakeLog log_;
  ReadRouter router_{log_, ReadLimits{}, now_};
};

TEST_F(ReadRouterTest, ReadsOfOneTurnShareABarrierAndLaterOnesDoNot) {
  static_cast<void>(submit());
  static_cast<void>(submit());
  ask();
  ASSERT_THAT(log_.barriers, SizeIs(1));
  static_cast<void>(submit());
  ask();
  ASSERT_THAT(log_.barriers, SizeIs(2)) << "the first was asked for before the third read came";
  const auto ready = router_.on_answers({{log_.barriers[0], base::Position(4)}});
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(ready[0].position, base::Position(4));
  EXPECT_THAT(ready[0].reads, SizeIs(2));
  EXPECT_EQ(ready[0].asked_at, boot_now_);
}

// The answer tells of the time before.
TEST_F(ReadRouterTest, AnAnswerThatComesAfterASleepIsAsOldAsTheSleep) {
  const BootTime asked_at = boot_now_;
  static_cast<void>(submit());
  ask();
  machine_is_off_for(std::chrono::hours(8));
  const auto ready = router_.on_answers({{log_.barriers[0], base::Position(4)}});
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(ready[0].asked_at, asked_at);
}

TEST_F(ReadRouterTest, AFailedBarrierIsAskedForAgain) {
  static_cast<void>(submit());
  ask();
  EXPECT_THAT(router_.on_answers({{log_.barriers[0], std::nullopt}}), IsEmpty());
  pass(milliseconds(20));
  ASSERT_THAT(log_.barriers, SizeIs(2));
  EXPECT_THAT(router_.on_answers({{log_.barriers[1], base::Position(4)}})[0].reads, SizeIs(1));
}

TEST_F(ReadRouterTest, ALostBarrierIsAskedForAgainAndItsLateAnswerIsNone) {
  static_cast<void>(submit());
  ask();
  pass(milliseconds(450));
  ASSERT_THAT(log_.barriers, SizeIs(2));
  EXPECT_THAT(router_.on_answers({{log_.barriers[0], base::Position(4)}}), IsEmpty());
  EXPECT_THAT(router_.on_answers({{log_.barriers[1], base::Position(4)}}), SizeIs(1));
}

TEST_F(ReadRouterTest, AfterAChangeOfLeaderTheNewOneIsAsked) {
  static_cast<void>(submit());
  ask();
  log_.follow(member(3), 6);
  router_.on_status(log_.now, now_);
  ask();
  EXPECT_THAT(log_.barriers, SizeIs(2));
}

TEST_F(ReadRouterTest, WithoutALeaderForTwoSecondsUnavailableAtOnce) {
  log_.follow(std::nullopt, 6);
  router_.on_status(log_.now, now_);
  const auto early = submit();
  ask();
  pass(milliseconds(1900));
  EXPECT_FALSE(early->has_value());
  pass(milliseconds(200));
  ASSERT_TRUE(early->has_value());
  EXPECT_EQ((*early)->code, base::Code::unavailable);
  const auto late = submit();
  ask();
  EXPECT_TRUE(late->has_value());
}

TEST_F(ReadRouterTest, ADeadlineEndsIt) {
  const auto read = submit(milliseconds(300));
  ask();
  pass(milliseconds(450));
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->code, base::Code::deadline_exceeded);
}

TEST_F(ReadRouterTest, WhileNobodyReadsAProbeTellsTheAge) {
  pass(milliseconds(20));
  ASSERT_THAT(log_.barriers, SizeIs(1)) << "a new leader is asked soon";
  static_cast<void>(router_.on_answers({{log_.barriers[0], base::Position(4)}}));
  log_.barriers.clear();
  pass(milliseconds(499));
  EXPECT_THAT(log_.barriers, IsEmpty());
  pass(milliseconds(2));
  ASSERT_THAT(log_.barriers, SizeIs(1));
  const auto ready = router_.on_answers({{log_.barriers[0], base::Position(4)}});
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_THAT(ready[0].reads, IsEmpty());
  EXPECT_EQ(ready[0].asked_at, boot_now_);
}

}  // namespace
}  // namespace parley::node::testing
