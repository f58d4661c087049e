// Bounds: what is too much is refused at once; unknown sessions cost one barrier however many ask.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "service/error_codec.h"
#include "tests/service/api.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;

TEST(Overload, CallsInFlightAreBounded) {
  auto options = quick_options();
  options.max_calls_in_flight = 3;
  Api api(options);
  const User alice = api.create("alice");
  v1::GetAccountRequest request;
  request.set_name("alice");
  api.node.hold_answers(true);
  std::vector<std::future<base::Result<std::string>>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(api.begin("parley.v1.AccountService", "GetAccount", request.SerializeAsString(),
                                alice.authorization()));
  }
  const auto refused =
      api.raw("parley.v1.AccountService", "GetAccount", request.SerializeAsString(), alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::resource_exhausted);
  EXPECT_EQ(refused.error().outcome, base::Outcome::refused);
  EXPECT_GT(refused.error().retry_after_ms, 0U);
  api.node.hold_answers(false);
  for (auto& call : waiting) {
    EXPECT_TRUE(call.get());
  }
  EXPECT_TRUE(
      api.raw("parley.v1.AccountService", "GetAccount", request.SerializeAsString(), alice.authorization()));
}

TEST(Overload, WaitingPasswordsAreBounded) {
  auto options = quick_options();
  options.password_cost.passes = 40;  // long enough to fill the queue behind the first
  options.max_waiting_passwords = 1;
  Api api(options);
  std::vector<std::future<base::Result<std::string>>> calls;
  for (int i = 0; i < 20; ++i) {
    v1::CreateAccountRequest request;
    request.set_name("user" + std::to_string(i));
    request.set_password("password one");
    calls.push_back(api.begin("parley.v1.AccountService", "CreateAccount", request.SerializeAsString()));
  }
  int done = 0;
  int refused = 0;
  for (auto& call : calls) {
    const auto result = call.get();
    if (result) {
      ++done;
    } else {
      EXPECT_EQ(result.error().code, base::Code::resource_exhausted);
      EXPECT_GT(result.error().retry_after_ms, 0U);
      ++refused;
    }
  }
  EXPECT_GE(done, 1);
  EXPECT_GE(refused, 1);
}

TEST(Overload, ADeadlineThatHasPassedIsNotBegun) {
  Api api;
  const User alice = api.create("alice");
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body("late");
  const auto writes = api.node.writes();
  const auto refused = api.begin("parley.v1.MessageService", "SendMessage", request.SerializeAsString(),
                                 alice.authorization(), std::chrono::steady_clock::now() - 1ms)
                           .get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::deadline_exceeded);
  EXPECT_EQ(refused.error().outcome, base::Outcome::refused);
  EXPECT_EQ(api.node.writes(), writes);
}

TEST(Overload, ASessionThatThisNodeDoesNotKnowYetIsLookedForBehindABarrier) {
  Api api;
  const User alice = api.create("alice");
  api.node.freeze_stale_reads(true);
  v1::LogInRequest log_in;
  log_in.set_name("alice");
  log_in.set_password(alice.password);
  service::Service elsewhere(api.node, quick_options());
  std::promise<base::Result<std::string>> opened;
  elsewhere.call(*service::find_method("parley.v1.AccountService", "LogIn"), log_in.SerializeAsString(), {},
                 [&](base::Result<std::string> result) { opened.set_value(std::move(result)); });
  const auto bytes = opened.get_future().get();
  ASSERT_TRUE(bytes);
  v1::LogInResponse session;
  ASSERT_TRUE(session.ParseFromString(*bytes));
  // Stale reads of this node do not show the session; a stale read and a write with it work all the same.
  v1::ListMessagesRequest stale;
  stale.set_stale(true);
  EXPECT_TRUE(api.call<v1::ListMessagesResponse>(stale, "Bearer " + session.token()));
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("a millisecond after login");
  EXPECT_TRUE(api.call<v1::SendMessageResponse>(send, "Bearer " + session.token()));
  api.node.freeze_stale_reads(false);
}

TEST(Overload, ManyCallsOfEndedSessionsShareOneBarrierAtATime) {
  Api api;
  const User alice = api.create("alice");
  ASSERT_TRUE(api.call<v1::LogOutResponse>(v1::LogOutRequest(), alice.authorization()));
  service::Service fresh(api.node, quick_options());
  v1::ListMessagesRequest stale;
  stale.set_stale(true);
  const auto before = api.node.linearizable_reads();
  api.node.hold_answers(true);
  constexpr int kCalls = 200;
  std::vector<std::promise<base::Result<std::string>>> answers(kCalls);
  for (auto& answer : answers) {
    fresh.call(*service::find_method("parley.v1.MessageService", "ListMessages"), stale.SerializeAsString(),
               {.authorization = alice.authorization()},
               [&](base::Result<std::string> result) { answer.set_value(std::move(result)); });
  }
  EXPECT_EQ(api.node.linearizable_reads(), before + 1);
  api.node.hold_answers(false);
  for (auto& answer : answers) {
    const auto result = answer.get_future().get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::Code::unauthenticated);
  }
  EXPECT_EQ(api.node.linearizable_reads(), before + 2) << "one in flight, the others share the next";
}

// must-pass J6 and J22 as far as this layer goes: an unknown outcome stays one.
TEST(Overload, J6_AnUnknownOutcomeIsToldAsSuch) {
  Api api;
  const User alice = api.create("alice");
  api.node.lose_next_reply();
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body("perhaps");
  const auto lost = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().outcome, base::Outcome::unknown);
  const auto refused_error = base::refused(base::Code::resource_exhausted, "OVERLOADED", "Too much.");
  api.node.refuse_writes(refused_error);
  const auto refused = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), refused_error);
}

TEST(ErrorCodec, RoundTrip) {
  base::Error error = base::outcome_unknown(base::Code::unavailable, "LEADER_LOST", "The leader was lost.");
  error.field = "f";
  error.limit = "1 to 2";
  error.message_ids = {1, 2, 3};
  error.retry_after_ms = 7;
  error.server_time_unix_ms = 1'700'000'000'123;
  error.position = base::Position(42);
  EXPECT_EQ(service::decode_status_details(service::encode_status_details(error)), error);
  EXPECT_EQ(service::decode_status_details("garbage"), std::nullopt);
  EXPECT_EQ(service::decode_status_details(""), std::nullopt);
}

}  // namespace
}  // namespace parley::test
