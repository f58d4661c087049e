// Rule 16: a call that needs a state which this node does not have is answered by the leader's service, as
// the same call; what can be answered here stays here, and what a peer has brought goes no further.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "tests/service/api.h"

namespace parley::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kMessages = "parley.v1.MessageService";

// A node whose state cannot be used, beside a leader: its stale reads are those of the leader's state (which
// a test can freeze), its writes go there.
class BrokenNode : public node::ChatNode {
 public:
  explicit BrokenNode(LocalNode& leader) : leader_(leader) {}

  void write(chat::Command command, node::Deadline deadline, node::WriteCallback done) override {
    leader_.write(std::move(command), deadline, std::move(done));
  }
  void read(node::ReadMode mode, node::Deadline deadline, node::ReadCallback done) override {
    if (mode == node::ReadMode::stale && !unreadable) {
      leader_.read(mode, deadline, std::move(done));
      return;
    }
    const char* reason = unreadable ? "STATE_UNREADABLE" : "STATE_FAILED";
    done(std::unexpected(base::refused(base::Code::unavailable, reason, "The disk is full.")), {});
  }
  [[nodiscard]] std::unique_ptr<node::Subscription> watch(const node::WatchStart& start,
                                                          std::shared_ptr<node::WatchSink> sink) override {
    return leader_.watch(start, std::move(sink));
  }
  void call_leader(node::CallToLeader call, node::ApiCallback done) override {
    calls.push_back(call);
    if (answer) {
      done(*answer);
      return;
    }
    leader_.api_handler()->on_call(std::move(call.call), call.deadline, std::move(done));
  }
  void set_api_handler(std::weak_ptr<node::ApiHandler> handler) override { own = std::move(handler); }
  [[nodiscard]] node::NodeStatus status() const override { return leader_.status(); }
  [[nodiscard]] std::optional<chat::TokenKey> token_key() const override { return leader_.token_key(); }
  [[nodiscard]] std::int64_t server_time_unix_ms() const override { return leader_.server_time_unix_ms(); }

  bool unreadable = false;                          // stale reads, too
  std::optional<base::Result<std::string>> answer;  // instead of the leader's
  std::vector<node::CallToLeader> calls;
  std::weak_ptr<node::ApiHandler> own;

 private:
  LocalNode& leader_;
};

base::Result<std::string> call_at(service::Service& service, std::string_view method,
                                  std::string_view request, const std::string& authorization) {
  std::promise<base::Result<std::string>> promise;
  auto future = promise.get_future();
  service.call(*service::find_method(Api::service_of_method(std::string(method)), method), request,
               {.authorization = authorization},
               [&](base::Result<std::string> result) { promise.set_value(std::move(result)); });
  return future.get();
}

class BrokenState : public ::testing::Test {
 protected:
  template <class Response, class Request>
  base::Result<Response> call(const Request& request, const std::string& authorization = {}) {
    const auto bytes =
        call_at(service_, Api::method_of<Request>(), request.SerializeAsString(), authorization);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response;
  }
  // As the node does with a call that a peer brings.
  static base::Result<std::string> bring(const std::shared_ptr<node::ApiHandler>& to, node::ApiCall call) {
    std::promise<base::Result<std::string>> promise;
    auto future = promise.get_future();
    to->on_call(std::move(call), std::chrono::steady_clock::now() + std::chrono::seconds(10),
                [&](base::Result<std::string> result) { promise.set_value(std::move(result)); });
    return future.get();
  }
  template <class Request>
  Request taken(std::size_t at) {
    Request request;
    EXPECT_TRUE(request.ParseFromString(std::string(node_.calls.at(at).call.request.view())));
    return request;
  }

  Api leader_;
  User alice_ = leader_.create("alice");
  BrokenNode node_{leader_.node};
  service::Service service_{node_, quick_options()};
};

template <class Request>
Request with_name(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

TEST_F(BrokenState, EveryLinearizableReadIsTheLeadersAnswer) {
  static_cast<void>(leader_.send(alice_, "alice", "a note"));
  const auto same_as_the_leader = [&](std::string_view method, const google::protobuf::Message& request) {
    const auto before = node_.calls.size();
    const auto bytes = request.SerializeAsString();
    const auto here = call_at(service_, method, bytes, alice_.authorization());
    ASSERT_TRUE(here) << method << ": " << here.error().message;
    EXPECT_EQ(here, call_at(*leader_.service, method, bytes, alice_.authorization())) << method;
    ASSERT_THAT(node_.calls, SizeIs(before + 1)) << method;
    const auto& call = node_.calls.back();
    EXPECT_EQ(call.call.method, Api::service_of_method(std::string(method)) + "/" + std::string(method));
    EXPECT_EQ(call.call.request.view(), bytes);
    EXPECT_FALSE(call.is_write);
    EXPECT_TRUE(call.is_repeatable);
  };
  same_as_the_leader("GetAccount", with_name<v1::GetAccountRequest>("alice"));
  same_as_the_leader("ListAccounts", v1::ListAccountsRequest());
  same_as_the_leader("ListMessages", v1::ListMessagesRequest());
  same_as_the_leader("ListConversations", v1::ListConversationsRequest());
  same_as_the_leader("GetUnreadCounts", v1::GetUnreadCountsRequest());
  EXPECT_EQ(leader_.node.calls_to_leader(), 0U) << "the leader takes nothing any further";
}

TEST_F(BrokenState, WhatCanBeAnsweredHereStaysHere) {
  v1::ListMessagesRequest stale;
  stale.set_stale(true);
  EXPECT_TRUE(call<v1::ListMessagesResponse>(stale, alice_.authorization()));
  EXPECT_TRUE(call<v1::GetStatusResponse>(v1::GetStatusRequest(), alice_.authorization()));
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("forwarded as a write");
  EXPECT_TRUE(call<v1::SendMessageResponse>(send, alice_.authorization()));
  v1::CreateAccountRequest create = with_name<v1::CreateAccountRequest>("bob");
  create.set_password("password one");
  EXPECT_TRUE(call<v1::CreateAccountResponse>(create));
  EXPECT_FALSE(
      call<v1::GetAccountResponse>(with_name<v1::GetAccountRequest>("not a name"), alice_.authorization()));
  EXPECT_FALSE(call<v1::ListMessagesResponse>(v1::ListMessagesRequest(), "Bearer garbage"));
  EXPECT_THAT(node_.calls, IsEmpty());
}

TEST_F(BrokenState, AStaleReadGoesToTheLeaderWhereNotEvenThatCanBeRead) {
  node_.unreadable = true;
  v1::ListMessagesRequest stale;
  stale.set_stale(true);
  const auto page = call<v1::ListMessagesResponse>(stale, alice_.authorization());
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->as_of().has_age_ms());
  EXPECT_TRUE(taken<v1::ListMessagesRequest>(0).stale());
}

TEST_F(BrokenState, PasswordsAreCheckedAtTheLeader) {
  v1::LogInRequest log_in = with_name<v1::LogInRequest>("alice");
  log_in.set_password(alice_.password);
  const auto session = call<v1::LogInResponse>(log_in);
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_TRUE(node_.calls.at(0).is_write);
  EXPECT_FALSE(node_.calls.at(0).is_repeatable) << "nothing makes two log-ins one";
  v1::ChangePasswordRequest change;
  change.set_password(alice_.password);
  change.set_new_password("password two");
  EXPECT_TRUE(call<v1::ChangePasswordResponse>(change, "Bearer " + session->token()));
  const auto wrong = call<v1::LogInResponse>(log_in);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::unauthenticated);
  EXPECT_EQ(wrong.error().outcome, base::Outcome::refused);
  v1::DeleteAccountRequest remove;
  remove.set_password("password two");
  EXPECT_TRUE(call<v1::DeleteAccountResponse>(remove, "Bearer " + session->token()));
  ASSERT_THAT(node_.calls, SizeIs(4));
  EXPECT_TRUE(node_.calls[1].is_repeatable && node_.calls[3].is_repeatable);
}

// A session that was opened after this node's state broke.
TEST_F(BrokenState, AWriteOfASessionThatThisNodeDoesNotKnowIsTakenWholeWithItsRequestId) {
  leader_.node.freeze_stale_reads(true);
  v1::LogInRequest log_in = with_name<v1::LogInRequest>("alice");
  log_in.set_password(alice_.password);
  const auto session = call<v1::LogInResponse>(log_in);
  ASSERT_TRUE(session);
  const std::string authorization = "Bearer " + session->token();
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("once");
  const auto sent = call<v1::SendMessageResponse>(send, authorization);
  ASSERT_TRUE(sent) << sent.error().message;
  ASSERT_THAT(node_.calls, SizeIs(2));
  EXPECT_TRUE(node_.calls[1].is_repeatable);
  const auto taken_send = taken<v1::SendMessageRequest>(1);
  EXPECT_FALSE(taken_send.request_id().empty()) << "this node made one";
  EXPECT_EQ(taken_send.request_id(), sent->message().request_id());
  // The node takes it to the next leader: the same write.
  v1::SendMessageResponse again;
  const auto bytes = bring(leader_.node.api_handler(), node_.calls[1].call);
  ASSERT_TRUE(bytes && again.ParseFromString(*bytes));
  EXPECT_EQ(again.position(), sent->position());
  send.set_request_id(fresh_request_id(leader_.node));
  EXPECT_TRUE(call<v1::SendMessageResponse>(send, authorization));
  EXPECT_EQ(taken<v1::SendMessageRequest>(2).request_id(), send.request_id()) << "the client's own stays";
  leader_.node.freeze_stale_reads(false);
}

// Rule 5: the account is there, whoever checks its password.
TEST_F(BrokenState, ARetriedCreateAccountEndsAtTheLeader) {
  v1::CreateAccountRequest create = with_name<v1::CreateAccountRequest>("bob");
  create.set_password("password one");
  create.set_request_id(fresh_request_id(leader_.node));
  const auto first = call<v1::CreateAccountResponse>(create);
  ASSERT_TRUE(first);
  ASSERT_THAT(node_.calls, IsEmpty());
  const auto again = call<v1::CreateAccountResponse>(create);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->position(), first->position());
  ASSERT_THAT(node_.calls, SizeIs(1));
  EXPECT_TRUE(node_.calls[0].may_have_happened) << "this node has proposed it";
  // Brought to a node that cannot end it either, it is not refused.
  const auto stuck = bring(node_.own.lock(), node_.calls[0].call);
  ASSERT_FALSE(stuck);
  EXPECT_TRUE(node::is_state_broken(stuck.error()));
  EXPECT_EQ(stuck.error().outcome, base::Outcome::unknown);
}

TEST_F(BrokenState, WhatAPeerBroughtGoesNoFurther) {
  const node::ApiCall read{.method = "parley.v1.MessageService/ListMessages",
                           .request = {},
                           .authorization = alice_.authorization()};
  const auto answered = bring(leader_.node.api_handler(), read);
  EXPECT_TRUE(answered) << answered.error().message;
  const auto stuck = bring(node_.own.lock(), read);
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().reason, "STATE_FAILED");
  EXPECT_EQ(stuck.error().outcome, base::Outcome::refused);
  EXPECT_THAT(node_.calls, IsEmpty());
}

TEST_F(BrokenState, PeersBringOnlyCallsThatAnyNodeAnswersTheSame) {
  for (const char* method :
       {"parley.v1.ClusterService/GetStatus", "parley.v1.ClusterService/RemoveNode",
        "parley.v1.MessageService/Watch", "parley.v1.MessageService/Nothing", "nothing", ""}) {
    const auto refused = bring(leader_.node.api_handler(),
                               {.method = method, .request = {}, .authorization = alice_.authorization()});
    ASSERT_FALSE(refused) << method;
    EXPECT_EQ(refused.error().code, base::Code::unimplemented) << method;
  }
  const auto garbage = bring(leader_.node.api_handler(), {.method = "parley.v1.MessageService/ListMessages",
                                                          .request = base::Payload("\xff\xff"),
                                                          .authorization = alice_.authorization()});
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, base::Code::invalid_argument);
}

TEST_F(BrokenState, AStatusIsNeverAnothersAndAStreamEndsWithTheReason) {
  leader_.node.freeze_stale_reads(true);
  v1::LogInRequest log_in = with_name<v1::LogInRequest>("alice");
  log_in.set_password(alice_.password);
  const auto session = leader_.call<v1::LogInResponse>(log_in);
  ASSERT_TRUE(session);
  const std::string authorization = "Bearer " + session->token();
  const auto status = call<v1::GetStatusResponse>(v1::GetStatusRequest(), authorization);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, "STATE_FAILED");
  const auto recorder = std::make_shared<Recorder>();
  const auto watch = service_.open(*service::find_method(kMessages, "Watch"), "",
                                   {.authorization = authorization}, recorder);
  const auto end = recorder->wait_for_end();
  ASSERT_TRUE(end) << "a watch whose session cannot be looked up does not hang";
  EXPECT_EQ(end->reason, "STATE_FAILED");
  EXPECT_THAT(node_.calls, IsEmpty());
  leader_.node.freeze_stale_reads(false);
}

TEST_F(BrokenState, WhatTheNodeSaysOfTheLeaderIsTheAnswer) {
  const auto lost = base::outcome_unknown(base::Code::unavailable, "LEADER_LOST", "Its answer did not come.");
  node_.answer = std::unexpected(lost);
  v1::LogInRequest log_in = with_name<v1::LogInRequest>("alice");
  log_in.set_password(alice_.password);
  const auto answer = call<v1::LogInResponse>(log_in);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), lost);
  EXPECT_EQ(service_.load().calls_in_flight, 0U);
  // It is handed over once, whatever comes of it.
  node_.answer = std::unexpected(base::refused(base::Code::unavailable, "STATE_FAILED", "It leads."));
  EXPECT_FALSE(call<v1::ListMessagesResponse>(v1::ListMessagesRequest(), alice_.authorization()));
  EXPECT_THAT(node_.calls, SizeIs(2));
}

TEST_F(BrokenState, ACallCountsWhereTheClientMadeIt) {
  std::vector<std::string> at_leader;
  std::vector<std::string> here;
  const auto into = [](std::vector<std::string>& names) {
    auto options = quick_options();
    options.on_answer = [&names](const service::MethodInfo& method, base::Code, std::chrono::nanoseconds) {
      names.emplace_back(method.name);
    };
    return options;
  };
  service::Service leader(leader_.node, into(at_leader));
  service::Service origin(node_, into(here));
  EXPECT_TRUE(call_at(origin, "ListMessages", "", alice_.authorization()));
  EXPECT_THAT(here, ElementsAre("ListMessages"));
  EXPECT_THAT(at_leader, IsEmpty());
}

// What this node's version does not know it has not checked, and does not pass on.
TEST_F(BrokenState, ARequestNeverGrowsOnItsWay) {
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("padded");
  std::string bytes = send.SerializeAsString();
  const std::size_t padding = base::kMaxRequestBytes - bytes.size() - 6;
  bytes += "\xfa\x7f";  // field 2047, bytes
  for (std::size_t rest = padding; true; rest >>= 7U) {
    bytes += static_cast<char>((rest & 0x7fU) | (rest > 0x7fU ? 0x80U : 0U));
    if (rest <= 0x7fU) {
      break;
    }
  }
  bytes.append(padding, 'p');
  ASSERT_LE(bytes.size(), base::kMaxRequestBytes);
  node_.unreadable = true;  // so that the session has to be looked up
  const auto sent = call_at(service_, "SendMessage", bytes, alice_.authorization());
  EXPECT_TRUE(sent) << sent.error().message;
  ASSERT_THAT(node_.calls, SizeIs(1));
  EXPECT_LT(node_.calls[0].call.request.size_bytes(), 200U);
}

}  // namespace
}  // namespace parley::test
