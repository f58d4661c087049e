// Rule 6 of the design, and must-pass J22, as a table of answers.
#include "client/write_progress.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/limits.h"

namespace parley::client {
namespace {

using base::Code;

// Of a request_id that the client has just made, by its own clock.
constexpr std::int64_t kMade_ms = 1'700'000'000'000;
constexpr std::int64_t kDayAfter_ms = kMade_ms + base::kResultLifetime_ms;

AttemptError refused(Code code, std::uint64_t position = 0) {
  AttemptError attempt{.error = base::refused(code, "R", "refused"), .reached = Reached::answered};
  attempt.error.position = base::Position(position);
  return attempt;
}
AttemptError lost_reply() {
  return {.error = base::outcome_unknown(Code::unavailable, "", "connection reset"),
          .reached = Reached::maybe};
}
AttemptError no_connection() {
  return {.error = base::refused(Code::unavailable, "NO_CONNECTION", "nobody there"), .reached = Reached::no};
}
AttemptError clock_is_off() {
  AttemptError attempt = refused(Code::failed_precondition);
  attempt.error.server_time_unix_ms = 1'000;
  return attempt;
}

AttemptError forgotten(std::int64_t server_time_unix_ms) {
  AttemptError attempt{
      .error = base::outcome_unknown(Code::failed_precondition, "REQUEST_ID_FORGOTTEN", "old"),
      .reached = Reached::answered};
  attempt.error.server_time_unix_ms = server_time_unix_ms;
  attempt.error.position = base::Position(7);
  return attempt;
}

TEST(WriteProgress, ARefusalIsFinal) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(refused(Code::not_found)), Next::stop);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.error().code, Code::not_found);
}

TEST(WriteProgress, NothingWasSentNothingHappened) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(no_connection()), Next::again);
  EXPECT_EQ(write.on_error(refused(Code::unavailable)), Next::again);
  EXPECT_FALSE(write.is_unknown());
}

// Whoever is no node of the cluster did nothing, and says nothing of an earlier attempt.
TEST(WriteProgress, AStrangerIsLeftAndChangesNoOutcome) {
  AttemptError stranger = refused(Code::unauthenticated);
  stranger.is_stranger = true;
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(stranger), Next::again);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  EXPECT_EQ(write.on_error(stranger), Next::again);
  EXPECT_TRUE(write.is_unknown());
  stranger.is_stranger = false;  // no other server is left
  WriteProgress last(false, kMade_ms);
  EXPECT_EQ(last.on_error(stranger), Next::stop);
  EXPECT_FALSE(last.is_unknown());
}

TEST(WriteProgress, AnErrorWithoutErrorInfoIsUnknown) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  EXPECT_TRUE(write.is_unknown());
  EXPECT_EQ(write.error().outcome, base::Outcome::unknown);
}

// must-pass J22: first attempt committed, reply lost, retry refused for overload.
TEST(WriteProgress, J22_ALaterRefusalWithoutPositionNeverTurnsUnknownIntoRefused) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  for (const Code code :
       {Code::resource_exhausted, Code::unavailable, Code::unauthenticated, Code::not_found}) {
    EXPECT_EQ(write.on_error(refused(code)), Next::again);
    EXPECT_TRUE(write.is_unknown());
    EXPECT_EQ(write.error().outcome, base::Outcome::unknown);
  }
  EXPECT_EQ(write.on_error(no_connection()), Next::again);
  EXPECT_TRUE(write.is_unknown());
}

TEST(WriteProgress, ARefusalWithPositionIsFinalEvenAfterUnknown) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  EXPECT_EQ(write.on_error(refused(Code::not_found, 17)), Next::stop);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.error().outcome, base::Outcome::refused);
}

TEST(WriteProgress, J22_UnknownFromAnEarlierCallStays) {
  WriteProgress write(true, std::nullopt);
  EXPECT_EQ(write.on_error(refused(Code::invalid_argument)), Next::again);
  EXPECT_TRUE(write.is_unknown());
}

TEST(WriteProgress, AnotherIdOnlyWhileRefused) {
  WriteProgress fresh(false, kMade_ms);
  EXPECT_EQ(fresh.on_error(clock_is_off()), Next::again_with_new_id);
  EXPECT_EQ(fresh.on_error(clock_is_off()), Next::stop) << "once: the server's own time must be good";
  EXPECT_FALSE(fresh.is_unknown());

  WriteProgress after_unknown(false, kMade_ms);
  EXPECT_EQ(after_unknown.on_error(lost_reply()), Next::again);
  EXPECT_EQ(after_unknown.on_error(clock_is_off()), Next::stop);
  EXPECT_TRUE(after_unknown.is_unknown());

  WriteProgress callers_own_id(false, std::nullopt);
  EXPECT_EQ(callers_own_id.on_error(clock_is_off()), Next::stop);
}

TEST(WriteProgress, AnIdThatWasTooOldWhenItWasMadeIsMadeAgainOnce) {
  WriteProgress write(false, kMade_ms);
  EXPECT_EQ(write.on_error(forgotten(kDayAfter_ms + 1)), Next::again_with_new_id);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.error().outcome, base::Outcome::refused);
  EXPECT_EQ(write.on_error(forgotten(kDayAfter_ms + 1)), Next::stop);
  EXPECT_TRUE(write.is_unknown());

  WriteProgress after_refusals(false, kMade_ms);
  EXPECT_EQ(after_refusals.on_error(no_connection()), Next::again);
  EXPECT_EQ(after_refusals.on_error(refused(Code::unavailable)), Next::again);
  EXPECT_EQ(after_refusals.on_error(forgotten(kDayAfter_ms + 1)), Next::again_with_new_id);
  EXPECT_EQ(after_refusals.on_error(lost_reply()), Next::again) << "of the new id, which is asked for again";
  EXPECT_TRUE(after_refusals.is_unknown());
}

TEST(WriteProgress, ForgottenIsUnknown) {
  WriteProgress after_unknown(false, kMade_ms);
  EXPECT_EQ(after_unknown.on_error(lost_reply()), Next::again);
  EXPECT_EQ(after_unknown.on_error(forgotten(kDayAfter_ms + 1)), Next::stop);
  EXPECT_TRUE(after_unknown.is_unknown());

  WriteProgress of_an_earlier_call(true, std::nullopt);
  EXPECT_EQ(of_an_earlier_call.on_error(forgotten(kDayAfter_ms + 1)), Next::stop);
  EXPECT_TRUE(of_an_earlier_call.is_unknown());

  WriteProgress callers_own_id(false, std::nullopt);
  EXPECT_EQ(callers_own_id.on_error(forgotten(kDayAfter_ms + 1)), Next::stop);
  EXPECT_TRUE(callers_own_id.is_unknown());

  WriteProgress of_today(false, kMade_ms);
  EXPECT_EQ(of_today.on_error(forgotten(kDayAfter_ms)), Next::stop) << "it may have been executed";
  EXPECT_TRUE(of_today.is_unknown());

  AttemptError sent_twice = forgotten(kDayAfter_ms + 1);
  sent_twice.error.position = {};
  WriteProgress by_the_node(false, kMade_ms);
  EXPECT_EQ(by_the_node.on_error(sent_twice), Next::stop);
  EXPECT_TRUE(by_the_node.is_unknown());
}

}  // namespace
}  // namespace parley::client
