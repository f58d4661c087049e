// Exactly once by request_id (design.md, request_id; rules 4 and 5; must-pass.md J5, J16).
#include <gmock/gmock.h>

#include "base/limits.h"
#include "chat/errors.h"
#include "tests/chat/chat_world.h"

namespace parley::chat {
namespace {

using testing::User;
using testing::World;

// A retry answers as the first did, and changes nothing.
void expect_retry(World& world, std::size_t entry, const CommandResult& first) {
  const std::string before = world.dumped({"state"});
  const std::size_t events = world.events.size();
  world.stamp().wall_unix_ms += 5;
  world.stamp().cluster_time_ms += 5;
  CommandResult again = world.apply_again(entry);
  EXPECT_TRUE(again.is_retry);
  again.is_retry = false;
  again.server_time_unix_ms = first.server_time_unix_ms;
  EXPECT_EQ(again, first);
  EXPECT_EQ(world.events.size(), events);
  EXPECT_EQ(world.dumped({"state"}), before);
}

struct Retry : ::testing::Test {
  World world;
  User ada = world.create("ada");
  User bob = world.create("bob");
};

TEST_F(Retry, EachCommandOnce) {
  std::vector<std::pair<std::size_t, CommandResult>> firsts;
  const auto keep = [&](const CommandResult& result) {
    firsts.emplace_back(world.position().value(), result);
  };
  const MessageId one = world.send(ada, bob);
  const MessageId two = world.send(ada, bob);
  keep(world.try_send(ada, "bob", "kept"));
  keep(world.try_send(ada, "nobody"));
  keep(world.try_send(ada, "ada"));
  keep(world.mark(bob, {two, MessageId(7'777), one}));
  keep(world.mark(bob, {MessageId(7'777)}));
  keep(world.erase(ada, {one, MessageId(7'777)}));
  keep(world.erase(ada, {one}));
  User elsewhere = ada;
  keep(world.log_in(elsewhere));
  keep(world.apply(CreateAccount{
      .request = world.key(), .name = "new", .password_hash = "h", .session = world.new_session()}));
  keep(world.apply(CreateAccount{
      .request = world.key(), .name = "ada", .password_hash = "h", .session = world.new_session()}));
  keep(world.apply(ChangePassword{.request = world.key(),
                                  .authority = ada.authority(),
                                  .checked = PasswordVersion(1),
                                  .new_password_hash = "n"}));
  keep(world.apply(LogOut{.request = world.key(), .authority = ada.authority()}));
  keep(world.erase_account(bob));
  for (const auto& [entry, first] : firsts) {
    SCOPED_TRACE("entry " + std::to_string(entry));
    expect_retry(world, entry, first);
  }
  // And once more after the state was opened anew and everything was swept.
  (void)world.sweep_all();
  ASSERT_TRUE(world.machine().commit().has_value());
  world.crash_and_open();
  for (const auto& [entry, first] : firsts) {
    SCOPED_TRACE("entry " + std::to_string(entry) + ", later");
    expect_retry(world, entry, first);
  }
}

TEST_F(Retry, J5_SendWhoseRecipientWasDeletedSince) {
  const auto first = world.try_send(ada, "bob", "hello bob");
  const std::size_t entry = world.position().value();
  (void)world.erase_account(bob);
  (void)world.sweep_all();
  const auto again = world.apply_again(entry);
  EXPECT_EQ(again.verdict, Verdict::done);
  EXPECT_EQ(again.message, first.message);
  EXPECT_EQ(again.position, first.position);
}

// Rule 5: with a token that is no longer good, the node looks before it refuses.
TEST_F(Retry, J5_LookUpWithAnEndedSession) {
  LogOut log_out{.request = world.key(), .authority = ada.authority()};
  const auto first = world.apply(log_out);
  log_out.request.content_digest = content_digest(log_out);
  log_out.authority.account = {};  // the token is unknown: nobody knows whose it was
  const auto found = world.read().remembered(log_out);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->position, first.position);
  EXPECT_EQ((*found)->account, ada.id);
  log_out.authority.session = bob.session;
  EXPECT_FALSE(world.read().remembered(log_out)->has_value()) << "somebody else's";
}

TEST_F(Retry, J5_LookUpWhereThePasswordFails) {
  ChangePassword change{.request = world.key(),
                        .authority = ada.authority(),
                        .checked = PasswordVersion(1),
                        .new_password_hash = "n"};
  const auto changed = world.apply(change);
  change.request.content_digest = content_digest(change);
  change.checked = {};  // the old password does not fit any more
  EXPECT_EQ(world.read().remembered(change)->value().position, changed.position);
  DeleteAccount erase{.request = world.key(), .authority = ada.authority(), .checked = PasswordVersion(2)};
  const auto erased = world.apply(erase);
  erase.request.content_digest = content_digest(erase);
  erase.authority.account = {};
  EXPECT_EQ(world.read().remembered(erase)->value().position, erased.position);
  erase.request.content_digest += 1;
  EXPECT_EQ(world.read().remembered(erase)->value().verdict, Verdict::request_id_reused);
}

TEST_F(Retry, CreateAccountOfAnotherAttempt) {
  CreateAccount create{
      .request = world.key(), .name = "new", .password_hash = "first", .session = world.new_session()};
  const auto first = world.apply(create);
  // Another attempt: another salt, another token. The node checks the password.
  create.password_hash = "second";
  create.session = world.new_session();
  const auto again = world.apply(create);
  EXPECT_EQ(again.verdict, Verdict::created_before);
  EXPECT_EQ(again.account, first.account);
  EXPECT_EQ(again.position, first.position);
  EXPECT_FALSE(world.read().session(create.session)->has_value());
  EXPECT_EQ(world.read().credentials("new")->value().password_hash, "first");
  // Where the password does not fit: INVALID_ARGUMENT, nothing told about the first.
  const auto error = to_error(again);
  EXPECT_EQ(error.code, base::Code::invalid_argument);
  EXPECT_TRUE(error.position.is_none());
  create.request.content_digest = content_digest(create);
  EXPECT_EQ(world.read().remembered(create)->value().verdict, Verdict::created_before);
}

TEST_F(Retry, SameIdOtherContent) {
  SendMessage send{.request = world.key(), .authority = ada.authority(), .recipient = "bob", .body = "one"};
  EXPECT_EQ(world.apply(send).verdict, Verdict::done);
  send.body = "two";
  const auto other = world.apply(send);
  EXPECT_EQ(other.verdict, Verdict::request_id_reused);
  EXPECT_EQ(to_error(other), request_id_reused());
  EXPECT_EQ(world.ids(bob).size(), 1U);
  // Another account has ids of its own.
  SendMessage by_bob{
      .request = {.id = send.request.id}, .authority = bob.authority(), .recipient = "ada", .body = "three"};
  EXPECT_EQ(world.apply(by_bob).verdict, Verdict::done);
}

TEST_F(Retry, AuthorityIsNotRemembered) {
  const SessionHash old = ada.session;
  SendMessage send{.request = world.key(),
                   .authority = {.account = ada.id, .session = world.new_session()},
                   .recipient = "bob",
                   .body = "one"};
  const auto refused = world.apply(send);
  EXPECT_EQ(refused.verdict, Verdict::session_ended);
  EXPECT_TRUE(to_error(refused).position.is_none());
  send.authority.session = old;
  EXPECT_EQ(world.apply(send).verdict, Verdict::done);
}

TEST_F(Retry, ARetryWithAnotherSessionOfTheAccount) {
  SendMessage send{.request = world.key(), .authority = ada.authority(), .recipient = "bob", .body = "one"};
  const auto first = world.apply(send);
  (void)world.log_in(ada);
  send.authority = ada.authority();
  const auto again = world.apply(send);
  EXPECT_EQ(again.message, first.message);
  EXPECT_EQ(world.ids(bob).size(), 1U);
}

TEST_F(Retry, IdsAhead) {
  const std::int64_t wall_ms = world.stamp().wall_unix_ms;
  const auto send_at = [&](std::int64_t unix_ms) {
    return world.apply(SendMessage{.request = {.id = world.id_at(unix_ms)},
                                   .authority = ada.authority(),
                                   .recipient = "bob",
                                   .body = "x"});
  };
  EXPECT_EQ(send_at(wall_ms + base::kMaxRequestIdAhead_ms).verdict, Verdict::done);
  const auto ahead = send_at(wall_ms + base::kMaxRequestIdAhead_ms + 1);
  EXPECT_EQ(ahead.verdict, Verdict::request_id_ahead);
  const auto error = to_error(ahead);
  EXPECT_EQ(error.code, base::Code::failed_precondition);
  EXPECT_EQ(error.outcome, base::Outcome::refused);
  EXPECT_EQ(error.server_time_unix_ms, wall_ms);
  EXPECT_TRUE(error.position.is_none()) << "a minute later the same id is good";
  EXPECT_EQ(send_at(1).verdict, Verdict::done) << "nothing was forgotten yet, so an old id is new";
}

TEST_F(Retry, J16_AForgottenIdIsNeverExecutedAgain) {
  const auto first = world.try_send(ada, "bob");
  const std::size_t entry = world.position().value();
  world.stamp().cluster_time_ms += base::kResultLifetime_ms - 1;
  (void)world.apply(Tick{});
  EXPECT_FALSE(world.machine().has_sweep_work());
  EXPECT_EQ(world.apply_again(entry).position, first.position);
  world.stamp().cluster_time_ms += 1;
  (void)world.apply(Tick{});
  (void)world.sweep_all();
  const auto again = world.apply_again(entry);
  EXPECT_EQ(again.verdict, Verdict::request_id_forgotten);
  const auto error = to_error(again);
  EXPECT_EQ(error.reason, "REQUEST_ID_FORGOTTEN");
  EXPECT_EQ(error.code, base::Code::failed_precondition);
  EXPECT_EQ(error.outcome, base::Outcome::unknown);
  EXPECT_FALSE(error.position.is_none());
  EXPECT_EQ(world.ids(bob).size(), 1U);
}

// A leader's clock that jumps a year ahead and is put right again.
TEST_F(Retry, J16_AClockAYearAhead) {
  constexpr std::int64_t kYear_ms = 365LL * 24 * 3600 * 1000;
  const std::int64_t wall_ms = world.stamp().wall_unix_ms;
  world.stamp().wall_unix_ms = wall_ms + kYear_ms;
  EXPECT_EQ(world.try_send(ada, "bob").verdict, Verdict::done);
  world.stamp().wall_unix_ms = wall_ms;
  EXPECT_EQ(world.try_send(ada, "bob").verdict, Verdict::done) << "honest clients go on";
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
  // A day of quiet: all is forgotten, the id of next year too.
  world.stamp().cluster_time_ms += base::kResultLifetime_ms;
  (void)world.apply(Tick{});
  (void)world.sweep_all();
  const auto refused = world.try_send(ada, "bob");
  EXPECT_EQ(refused.verdict, Verdict::request_id_forgotten);
  const std::int64_t server_time_ms = to_error(refused).server_time_unix_ms;
  for (int i = 0; i < 3; ++i) {
    const auto sent = world.apply(SendMessage{.request = {.id = world.id_at(server_time_ms)},
                                              .authority = ada.authority(),
                                              .recipient = "bob",
                                              .body = "by server_time"});
    EXPECT_EQ(sent.verdict, Verdict::done) << "an id made from server_time is good";
  }
  EXPECT_TRUE(world.read().session(ada.session)->has_value()) << "no session expired early";
}

TEST_F(Retry, J16_AClockTwoDaysBack) {
  world.stamp().wall_unix_ms -= 2LL * 24 * 3600 * 1000;
  EXPECT_EQ(world.try_send(ada, "bob").verdict, Verdict::done);
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
  EXPECT_EQ(world.machine().next_expiry_cluster_time_ms(),
            world.stamp().cluster_time_ms + base::kResultLifetime_ms);
}

TEST(RetryLimit, BeyondTheLimitTheLowestGo) {
  World world(FormatLimits{.max_results = 10, .forget_at_once = 2});
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const std::size_t first = world.position().value();
  for (int i = 0; i < 8; ++i) {
    world.stamp().wall_unix_ms += 1;
    (void)world.send(ada, bob);
  }
  EXPECT_EQ(world.apply_again(first).verdict, Verdict::done) << "ten are kept";
  world.stamp().wall_unix_ms += 1;
  (void)world.send(ada, bob);
  EXPECT_EQ(world.apply_again(2).verdict, Verdict::request_id_forgotten) << "the lowest went";
  EXPECT_EQ(world.apply_again(first).verdict, Verdict::done);
  EXPECT_FALSE(world.machine().has_sweep_work());
}

}  // namespace
}  // namespace parley::chat
