// Retries with the same request_id: rule 5 of design.md, must-pass J5 and J16, and the three outcomes.
#include <gtest/gtest.h>

#include "tests/service/api.h"

namespace parley::test {
namespace {

// Calls twice with the same bytes: the first reply is lost, the second must be the first result.
template <class Response, class Request>
base::Result<Response> lose_and_retry(Api& api, const Request& request, const std::string& authorization) {
  api.node.lose_next_reply();
  const auto lost = api.call<Response>(request, authorization);
  EXPECT_FALSE(lost);
  if (!lost) {
    EXPECT_EQ(lost.error().outcome, base::Outcome::unknown);
  }
  return api.call<Response>(request, authorization);
}

TEST(Retry, J5_LogOutGetsItsFirstResultAlthoughItsTokenIsNoLongerGood) {
  Api api;
  const User alice = api.create("alice");
  v1::LogOutRequest request;
  request.set_request_id(fresh_request_id(api.node));
  const auto retried = lose_and_retry<v1::LogOutResponse>(api, request, alice.authorization());
  ASSERT_TRUE(retried) << retried.error().message;
  EXPECT_GT(retried->position(), 0U);
  // Through a node that never met this session.
  service::Service other(api.node, quick_options());
  std::promise<base::Result<std::string>> elsewhere;
  other.call(*service::find_method("parley.v1.AccountService", "LogOut"), request.SerializeAsString(),
             {.authorization = alice.authorization()},
             [&](base::Result<std::string> result) { elsewhere.set_value(std::move(result)); });
  const auto answer = elsewhere.get_future().get();
  ASSERT_TRUE(answer) << answer.error().message;
  v1::LogOutResponse response;
  ASSERT_TRUE(response.ParseFromString(*answer));
  EXPECT_EQ(response.position(), retried->position());
  // Another request of the ended session is no retry.
  request.set_request_id(fresh_request_id(api.node));
  const auto refused = api.call<v1::LogOutResponse>(request, alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::unauthenticated);
}

TEST(Retry, J5_ChangePasswordGetsItsFirstResultAlthoughThePasswordIsNoLongerGood) {
  Api api;
  const User alice = api.create("alice");
  v1::ChangePasswordRequest request;
  request.set_password(alice.password);
  request.set_new_password("password two");
  request.set_request_id(fresh_request_id(api.node));
  const auto retried = lose_and_retry<v1::ChangePasswordResponse>(api, request, alice.authorization());
  ASSERT_TRUE(retried) << retried.error().message;
  request.set_request_id(fresh_request_id(api.node));
  EXPECT_FALSE(api.call<v1::ChangePasswordResponse>(request, alice.authorization()));
}

TEST(Retry, J5_DeleteAccountGetsItsFirstResultAlthoughNothingIsLeft) {
  Api api;
  const User alice = api.create("alice");
  v1::DeleteAccountRequest request;
  request.set_password(alice.password);
  request.set_request_id(fresh_request_id(api.node));
  const auto retried = lose_and_retry<v1::DeleteAccountResponse>(api, request, alice.authorization());
  ASSERT_TRUE(retried) << retried.error().message;
  EXPECT_GT(retried->position(), alice.id);
  request.set_request_id(fresh_request_id(api.node));
  EXPECT_FALSE(api.call<v1::DeleteAccountResponse>(request, alice.authorization()));
}

TEST(Retry, J5_ASendGetsItsFirstResultAlthoughItsRecipientWasDeletedSince) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  v1::SendMessageRequest request;
  request.set_recipient("bob");
  request.set_body("once");
  request.set_request_id(fresh_request_id(api.node));
  api.node.lose_next_reply();
  ASSERT_FALSE(api.call<v1::SendMessageResponse>(request, alice.authorization()));
  v1::DeleteAccountRequest remove;
  remove.set_password(bob.password);
  ASSERT_TRUE(api.call<v1::DeleteAccountResponse>(remove, bob.authorization()));
  const auto retried = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_TRUE(retried) << retried.error().message;
  EXPECT_EQ(retried->message().body(), "once");
  EXPECT_EQ(retried->message().id(), retried->position());
  EXPECT_EQ(retried->message().recipient_id(), bob.id);
}

TEST(Retry, J5_CreateAccountWithTheSamePasswordOpensASessionAtTheFirstPosition) {
  Api api;
  v1::CreateAccountRequest request;
  request.set_name("alice");
  request.set_password("password one");
  request.set_request_id(fresh_request_id(api.node));
  const auto retried = lose_and_retry<v1::CreateAccountResponse>(api, request, {});
  ASSERT_TRUE(retried) << retried.error().message;
  EXPECT_EQ(retried->position(), retried->account().id());
  EXPECT_EQ(retried->account().name(), "alice");
  EXPECT_GT(retried->account().created_at().seconds(), 0);
  EXPECT_TRUE(api.call<v1::GetStatusResponse>(v1::GetStatusRequest(), "Bearer " + retried->token()));
}

TEST(Retry, J5_CreateAccountWithAnotherPasswordHearsNothingOfTheFirst) {
  Api api;
  v1::CreateAccountRequest request;
  request.set_name("alice");
  request.set_password("password one");
  request.set_request_id(fresh_request_id(api.node));
  ASSERT_TRUE(api.call<v1::CreateAccountResponse>(request));
  request.set_password("password two");
  const auto refused = api.call<v1::CreateAccountResponse>(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::invalid_argument);
  EXPECT_TRUE(refused.error().position.is_none());
  // The same words as for any other content.
  v1::CreateAccountRequest other = request;
  other.set_name("bob");
  const auto reused = api.call<v1::CreateAccountResponse>(other);
  if (!reused) {
    EXPECT_EQ(reused.error().code, base::Code::invalid_argument);
  }
}

TEST(Retry, ASendIsAppliedOnceHoweverOftenItIsSent) {
  Api api;
  const User alice = api.create("alice");
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body("once");
  request.set_request_id(fresh_request_id(api.node));
  const auto first = lose_and_retry<v1::SendMessageResponse>(api, request, alice.authorization());
  const auto second = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
  EXPECT_EQ(first->message().request_id(), request.request_id());
  const auto inbox = api.call<v1::ListMessagesResponse>(v1::ListMessagesRequest(), alice.authorization());
  ASSERT_TRUE(inbox);
  EXPECT_EQ(inbox->messages_size(), 1);
  request.set_body("another content");
  const auto reused = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_FALSE(reused);
  EXPECT_EQ(reused.error().code, base::Code::invalid_argument);
  EXPECT_EQ(reused.error().field, "request_id");
}

TEST(Retry, ARefusalDecidedInTheLogIsFinal) {
  Api api;
  const User alice = api.create("alice");
  v1::SendMessageRequest request;
  request.set_recipient("bob");
  request.set_body("to nobody");
  request.set_request_id(fresh_request_id(api.node));
  const auto first = api.call<v1::SendMessageResponse>(request, alice.authorization());
  (void)api.create("bob");
  const auto second = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_FALSE(first);
  ASSERT_FALSE(second);
  EXPECT_EQ(first.error().message, "Recipient does not exist.");
  EXPECT_EQ(first.error().code, base::Code::not_found);
  EXPECT_EQ(first.error(), second.error());
  EXPECT_TRUE(first.error().is_final());
}

// must-pass J16, of ids ahead: never executed, and told the server's time.
TEST(Retry, J16_ARequestIdFarAheadIsRefusedWithTheServersTime) {
  Api api;
  const User alice = api.create("alice");
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body("from the future");
  request.set_request_id(
      base::to_string(base::make_request_id(api.node.server_time_unix_ms() + 3'600'000, {})));
  const auto refused = api.call<v1::SendMessageResponse>(request, alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::failed_precondition);
  EXPECT_EQ(refused.error().outcome, base::Outcome::refused);
  ASSERT_NE(refused.error().server_time_unix_ms, 0);
  request.set_request_id(base::to_string(base::make_request_id(refused.error().server_time_unix_ms, {})));
  EXPECT_TRUE(api.call<v1::SendMessageResponse>(request, alice.authorization()));
}

TEST(Retry, AWriteWithoutRequestIdWorksEachTime) {
  Api api;
  const User alice = api.create("alice");
  const auto first = api.send(alice, "alice", "same words");
  const auto second = api.send(alice, "alice", "same words");
  EXPECT_NE(first.id(), second.id());
  EXPECT_FALSE(first.request_id().empty());
}

}  // namespace
}  // namespace parley::test
