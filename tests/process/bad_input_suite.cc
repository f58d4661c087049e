// Bad input over gRPC is refused with a message that names the limit; garbage on every port does no harm.
// After each test all that two people can see is compared with what they saw before, at every node: nothing
// of it has changed.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "client/grpc_error.h"
#include "tests/process/cluster.h"
#include "tests/process/talk.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;

// A line for each item of each page. Without page tokens and positions, which move while nodes keep house.
template <class Request, class Call, class Items>
void tell_pages(std::vector<std::string>& lines, const std::string& what, Request request, const Call& call,
                const Items& items) {
  request.set_page_size(2);
  do {
    const auto page = call(request);
    if (!page) {
      ADD_FAILURE() << what << ": " << page.error().message;
      return;
    }
    for (const auto& item : items(*page)) {
      lines.push_back(what + ": " + item.ShortDebugString());
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
}

void tell_messages(std::vector<std::string>& lines, const std::string& what, client::Client& client,
                   const v1::ListMessagesRequest& request) {
  tell_pages(
      lines, what, request, [&](const auto& asked) { return client.list_messages(asked); },
      [](const auto& page) { return page.messages(); });
}

// All that the owner of this session can see.
void tell_all(std::vector<std::string>& lines, client::Client& client) {
  v1::ListAccountsRequest everybody;
  everybody.set_pattern("*");
  tell_pages(
      lines, "account", everybody, [&](const auto& asked) { return client.list_accounts(asked); },
      [](const auto& page) { return page.accounts(); });
  tell_pages(
      lines, "unread", v1::GetUnreadCountsRequest(),
      [&](const auto& asked) { return client.get_unread_counts(asked); },
      [](const auto& page) { return page.counts(); });
  tell_messages(lines, "inbox", client, {});
  const auto conversations = client.list_conversations({});
  ASSERT_TRUE(conversations.has_value()) << conversations.error().message;
  for (const v1::Conversation& conversation : conversations->conversations()) {
    lines.push_back("conversation: " + conversation.ShortDebugString());
    v1::ListMessagesRequest both_directions;
    both_directions.set_conversation_id(conversation.id());
    tell_messages(lines, "said", client, both_directions);
  }
}

class BadInputSuite : public ::testing::Test {
 protected:
  // Something of each kind is there to be changed: sent, received, read, unread, deleted.
  BadInputSuite() {
    cluster_.wait_for_leader();
    client_ = cluster_.client();
    ann_ = sign_up(*client_, "ann");
    bob_ = sign_up(*client_, "bob");
    client_->set_token(bob_);
    v1::MarkReadRequest read;
    read.add_message_ids(send_note(*client_, "ann", "one"));
    v1::DeleteMessagesRequest remove;
    remove.add_message_ids(send_note(*client_, "ann", "two"));
    EXPECT_NE(send_note(*client_, "ann", "three"), 0U);
    client_->set_token(ann_);
    EXPECT_NE(send_note(*client_, "bob", "four"), 0U);
    expect_done(client_->mark_read(read));
    expect_done(client_->delete_messages(remove));
    before_ = visible_at(1);
    EXPECT_GE(before_.size(), 15U) << "there is something to compare";
  }

  void TearDown() override {
    expect_nothing_changed();
    for (const std::string name : {"ann", "bob"}) {
      v1::LogInRequest log_in;
      log_in.set_name(name);
      log_in.set_password("correct horse");
      expect_done(client_->log_in(log_in));
    }
  }

  // As ann and bob see it through this node.
  [[nodiscard]] std::vector<std::string> visible_at(int node) const {
    std::vector<std::string> lines;
    const auto here = cluster_.client({node});
    for (const std::string& token : {ann_, bob_}) {
      here->set_token(token);
      tell_all(lines, *here);
    }
    return lines;
  }

  void expect_nothing_changed() const {
    for (const int node : cluster_.ids()) {
      EXPECT_EQ(visible_at(node), before_) << "node " << node;
    }
  }

  template <class Response>
  static void expect_done(const client::WriteOutcome<Response>& outcome) {
    EXPECT_TRUE(std::holds_alternative<client::Done<Response>>(outcome)) << Response::descriptor()->name();
  }

  template <class Outcome>
  static void expect_refused(const Outcome& outcome, const std::string& names, base::Code code) {
    const auto* const refused = std::get_if<client::Refused>(&outcome);
    ASSERT_NE(refused, nullptr) << names;
    EXPECT_EQ(base::to_string(refused->error.code), base::to_string(code)) << refused->error.message;
    EXPECT_THAT(refused->error.message, HasSubstr(names));
    EXPECT_NE(refused->error.reason, "");
  }
  template <class Outcome>
  static void expect_invalid(const Outcome& outcome, const std::string& names) {
    expect_refused(outcome, names, base::Code::invalid_argument);
  }

  // Bytes as they are, to one method of one node. The status that comes back.
  [[nodiscard]] grpc::Status call_raw(const std::string& method, const std::string& bytes,
                                      const std::string& authorization) const {
    const auto channel =
        grpc::CreateChannel(to_string(cluster_.client_address(1)), grpc::InsecureChannelCredentials());
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.set_wait_for_ready(true);
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  // And nothing has changed so far: from here on this test's own messages are there.
  void expect_alive() {
    expect_nothing_changed();
    for (const int node : cluster_.ids()) {
      const auto here = cluster_.client({node});
      here->set_token(ann_);
      EXPECT_NE(send_note(*here, "ann", "still here"), 0U) << "node " << node;
      EXPECT_TRUE(cluster_.is_running(node));
    }
    before_ = visible_at(1);
  }

  Cluster cluster_{3};
  std::unique_ptr<client::Client> client_;
  std::string ann_;
  std::string bob_;
  std::vector<std::string> before_;
};

// If it happened. Otherwise that nothing has changed would tell nothing.
TEST_F(BadInputSuite, EveryKindOfChangeWouldBeSeen) {
  const auto expect_seen = [this](const std::string& what) {
    for (const int node : cluster_.ids()) {
      EXPECT_NE(visible_at(node), before_) << what << ", node " << node;
    }
    before_ = visible_at(1);
  };
  const std::string carl = sign_up(*client_, "carl");
  expect_seen("an account");
  const std::uint64_t note = send_note(*client_, "bob", "five");
  ASSERT_NE(note, 0U);
  expect_seen("a message");
  client_->set_token(bob_);
  v1::MarkReadRequest read;
  read.add_message_ids(note);
  expect_done(client_->mark_read(read));
  expect_seen("a message that was read");
  v1::DeleteMessagesRequest remove;
  remove.add_message_ids(note);
  expect_done(client_->delete_messages(remove));
  expect_seen("a message that was deleted");
  client_->set_token(carl);
  v1::DeleteAccountRequest leave;
  leave.set_password("correct horse");
  expect_done(client_->delete_account(leave));
  expect_seen("an account that is gone");
}

TEST_F(BadInputSuite, NamesAndPasswords) {
  const auto create = [this](const std::string& name, const std::string& password) {
    v1::CreateAccountRequest request;
    request.set_name(name);
    request.set_password(password);
    return client_->create_account(request);
  };
  expect_invalid(create("", "correct horse"), "32");
  expect_invalid(create(std::string(33, 'a'), "correct horse"), "32");
  for (const std::string name : {"a b", "a\nb", "a\x1b", "ann@home", "\u00fcber", "a/b"}) {
    expect_invalid(create(name, "correct horse"), "a-z");
  }
  expect_invalid(create("carl", ""), "8");
  expect_invalid(create("carl", "1234567"), "8");
  expect_invalid(create("carl", std::string(129, 'x')), "128");
  for (const std::string& password : {std::string("1234567"), std::string(129, 'x')}) {
    v1::LogInRequest log_in;
    log_in.set_name("ann");
    log_in.set_password(password);
    expect_invalid(client_->log_in(log_in), "8 to 128");
    v1::ChangePasswordRequest change;
    change.set_password("correct horse");
    change.set_new_password(password);
    expect_invalid(client_->change_password(change), "8 to 128");
    v1::DeleteAccountRequest leave;
    leave.set_password(password);
    expect_invalid(client_->delete_account(leave), "8 to 128");
  }
}

TEST_F(BadInputSuite, BodiesSetsAndPages) {
  v1::SendMessageRequest send;
  send.set_recipient("ann");
  expect_invalid(client_->send_message(send), "1 to 16384");
  send.set_body(std::string(16'385, 'x'));
  expect_invalid(client_->send_message(send), "1 to 16384");
  v1::MarkReadRequest read;
  for (std::uint64_t id = 1; id <= 1'001; ++id) {
    read.add_message_ids(id);
  }
  expect_invalid(client_->mark_read(read), "1000");
  v1::DeleteMessagesRequest remove;
  *remove.mutable_message_ids() = read.message_ids();
  expect_invalid(client_->delete_messages(remove), "1000");
  expect_invalid(client_->mark_read({}), "");
  v1::ListMessagesRequest list;
  list.set_page_size(501);
  EXPECT_EQ(client_->list_messages(list).error().code, base::Code::invalid_argument);
  list.set_page_size(-1);
  EXPECT_EQ(client_->list_messages(list).error().code, base::Code::invalid_argument);
  list.set_page_size(0);
  list.set_page_token("garbage");
  EXPECT_EQ(client_->list_messages(list).error().code, base::Code::invalid_argument);
  v1::ListAccountsRequest glob;
  glob.set_pattern(std::string(65, '*'));
  const auto listed = client_->list_accounts(glob);
  ASSERT_FALSE(listed.has_value());
  EXPECT_THAT(listed.error().message, HasSubstr("64"));
}

// By the node itself, whatever sends them; our own client does not even send them.
TEST_F(BadInputSuite, RequestsThatAreTooLarge) {
  v1::SendMessageRequest send;
  send.set_recipient("ann");
  for (const std::size_t size_bytes :
       {base::kMaxRequestBytes, std::size_t{2'000'000}, std::size_t{5} << 20U}) {
    send.set_body(std::string(size_bytes, 'x'));
    for (const std::string method : {"SendMessage", "Watch"}) {
      const auto status =
          call_raw("/parley.v1.MessageService/" + method, send.SerializeAsString(), "Bearer " + ann_);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
      EXPECT_THAT(status.error_message(), HasSubstr("at most 1048576"));
      const auto told = client::to_attempt_error(status);
      EXPECT_EQ(told.reached, client::Reached::answered) << "without ErrorInfo: " << status.error_message();
      EXPECT_EQ(told.error.outcome, base::Outcome::refused);
      EXPECT_EQ(told.error.reason, "REQUEST_TOO_LARGE");
      EXPECT_THAT(told.error.limit, HasSubstr("1048576"));
    }
    expect_invalid(client_->send_message(send), "1048576");
  }
  expect_alive();
}

TEST_F(BadInputSuite, RequestIds) {
  v1::SendMessageRequest send;
  send.set_recipient("ann");
  send.set_body("hello");
  for (const std::string id :
       {"1", "00000000-0000-0000-0000-000000000000", "01890a5d-ac96-474c-bcce-b302099a8057"}) {
    send.set_request_id(id);
    expect_invalid(client_->send_message(send), "UUID");
  }
}

TEST_F(BadInputSuite, Tokens) {
  const std::string forged = ann_.substr(0, ann_.size() - 2) + (ann_.ends_with("AA") ? "BB" : "AA");
  for (const std::string& token :
       {std::string("garbage"), forged, std::string(1'000, 'A'), std::string("a b")}) {
    client_->set_token(token);
    const auto answer = client_->list_messages({});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(base::to_string(answer.error().code), "UNAUTHENTICATED");
  }
  client_->set_token("");
  EXPECT_EQ(base::to_string(client_->list_messages({}).error().code), "UNAUTHENTICATED");
}

TEST_F(BadInputSuite, WhatDoesNotParseSaysSo) {
  const std::string send = "/parley.v1.MessageService/SendMessage";
  const std::string bearer = "Bearer " + ann_;
  // Field 2, a string, with a byte that is no UTF-8.
  const auto bad_text = call_raw(send,
                                 "\x0a\x03"
                                 "ann\x12\x02\xff\xfe",
                                 bearer);
  EXPECT_EQ(bad_text.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << bad_text.error_message();
  EXPECT_THAT(bad_text.error_message(), HasSubstr("UTF-8"));
  const auto garbage = call_raw(send, "\xff\xff\xff\xff", bearer);
  EXPECT_EQ(garbage.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << garbage.error_message();
  EXPECT_NE(garbage.error_message(), "");
  EXPECT_EQ(call_raw("/parley.v1.MessageService/Fly", "", bearer).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  expect_alive();
}

TEST_F(BadInputSuite, WhatChangesTheClusterIsNotServedHere) {
  for (const std::string method : {"AddNode", "RemoveNode", "TransferLeadership", "Backup"}) {
    const auto status = call_raw("/parley.v1.ClusterService/" + method, "", "Bearer " + ann_);
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
                status.error_code() == grpc::StatusCode::PERMISSION_DENIED)
        << method << ": " << status.error_code() << " " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(method));
  }
}

TEST_F(BadInputSuite, GarbageOnEveryPort) {
  std::minstd_rand random(7);
  for (const int node : cluster_.ids()) {
    for (const base::Address& address : cluster_.listening(node)) {
      for (int round = 0; round < 20; ++round) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(address.port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0) << to_string(address);
        // After the beginning of either protocol, and after none.
        std::string bytes = round % 4 == 0 ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                            : round % 4 == 1
                                ? "POST /parley.v1.MessageService/SendMessage HTTP/1.1\r\n"
                                  "Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
                                : "";
        for (int i = 0; i < 2'000; ++i) {
          bytes.push_back(static_cast<char>(random() & 0xffU));
        }
        [[maybe_unused]] const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ::close(socket);
      }
    }
  }
  expect_alive();
}

}  // namespace
}  // namespace parley::testing
