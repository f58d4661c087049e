// Rule 6 of the design, and must-pass J22, as a table of answers.
#include "client/write_progress.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::client {
namespace {

using base::Code;

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

TEST(WriteProgress, ARefusalIsFinal) {
  WriteProgress write(false, true);
  EXPECT_EQ(write.on_error(refused(Code::not_found)), Next::stop);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.error().code, Code::not_found);
}

TEST(WriteProgress, NothingWasSentNothingHappened) {
  WriteProgress write(false, true);
  EXPECT_EQ(write.on_error(no_connection()), Next::again);
  EXPECT_EQ(write.on_error(refused(Code::unavailable)), Next::again);
  EXPECT_FALSE(write.is_unknown());
}

TEST(WriteProgress, AnErrorWithoutErrorInfoIsUnknown) {
  WriteProgress write(false, true);
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  EXPECT_TRUE(write.is_unknown());
  EXPECT_EQ(write.error().outcome, base::Outcome::unknown);
}

// must-pass J22: first attempt committed, reply lost, retry refused for overload.
TEST(WriteProgress, J22_ALaterRefusalWithoutPositionNeverTurnsUnknownIntoRefused) {
  WriteProgress write(false, true);
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
  WriteProgress write(false, true);
  EXPECT_EQ(write.on_error(lost_reply()), Next::again);
  EXPECT_EQ(write.on_error(refused(Code::not_found, 17)), Next::stop);
  EXPECT_FALSE(write.is_unknown());
  EXPECT_EQ(write.error().outcome, base::Outcome::refused);
}

TEST(WriteProgress, J22_UnknownFromAnEarlierCallStays) {
  WriteProgress write(true, false);
  EXPECT_EQ(write.on_error(refused(Code::invalid_argument)), Next::again);
  EXPECT_TRUE(write.is_unknown());
}

TEST(WriteProgress, AnotherIdOnlyWhileRefused) {
  WriteProgress fresh(false, true);
  EXPECT_EQ(fresh.on_error(clock_is_off()), Next::again_with_new_id);
  EXPECT_EQ(fresh.on_error(clock_is_off()), Next::stop) << "once: the server's own time must be good";
  EXPECT_FALSE(fresh.is_unknown());

  WriteProgress after_unknown(false, true);
  EXPECT_EQ(after_unknown.on_error(lost_reply()), Next::again);
  EXPECT_EQ(after_unknown.on_error(clock_is_off()), Next::stop);
  EXPECT_TRUE(after_unknown.is_unknown());

  WriteProgress callers_own_id(false, false);
  EXPECT_EQ(callers_own_id.on_error(clock_is_off()), Next::stop);
}

TEST(WriteProgress, ForgottenIsUnknown) {
  AttemptError forgotten = clock_is_off();
  forgotten.error.outcome = base::Outcome::unknown;
  WriteProgress write(false, true);
  EXPECT_EQ(write.on_error(forgotten), Next::stop);
  EXPECT_TRUE(write.is_unknown());
}

}  // namespace
}  // namespace parley::client
