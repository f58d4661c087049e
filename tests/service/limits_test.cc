// Bad input: each refusal names its field and its limit, and changes nothing. And the time that a call gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/wire_format_lite.h>

#include <chrono>

#include "base/limits.h"
#include "base/request_size.h"
#include "service/call.h"
#include "tests/service/api.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

void expect_refused(const base::Result<std::string>& result, const std::string& field,
                    const std::string& limit) {
  ASSERT_FALSE(result) << field;
  EXPECT_EQ(result.error().code, base::Code::invalid_argument) << result.error().message;
  EXPECT_EQ(result.error().outcome, base::Outcome::refused);
  EXPECT_EQ(result.error().field, field);
  EXPECT_THAT(result.error().limit, HasSubstr(limit));
  EXPECT_FALSE(result.error().reason.empty());
  EXPECT_FALSE(result.error().message.empty());
}

template <class Request>
base::Result<std::string> raw(Api& api, const Request& request, const User& user) {
  return api.raw(Api::service_of<Request>(), Api::method_of<Request>(), request.SerializeAsString(),
                 user.authorization());
}

const std::vector<std::string> kBadNames = {
    "",       std::string(33, 'a'),        "two words", "new\nline", "esc\x1b[2J",
    "umläut", std::string("nul\0byte", 8), "a/b",       "*"};

TEST(Limits, Names) {
  Api api;
  const User alice = api.create("alice");
  for (const auto& name : kBadNames) {
    v1::CreateAccountRequest create;
    create.set_name(name);
    create.set_password("password one");
    expect_refused(raw(api, create, alice), "name", "1 to 32");
    v1::LogInRequest log_in;
    log_in.set_name(name);
    log_in.set_password("password one");
    expect_refused(raw(api, log_in, alice), "name", "1 to 32");
    v1::GetAccountRequest get;
    get.set_name(name);
    expect_refused(raw(api, get, alice), "name", "1 to 32");
    v1::SendMessageRequest send;
    send.set_recipient(name);
    send.set_body("hello");
    expect_refused(raw(api, send, alice), "recipient", "1 to 32");
    if (!name.empty()) {
      v1::ListMessagesRequest list;
      list.set_peer(name);
      expect_refused(raw(api, list, alice), "peer", "1 to 32");
    }
  }
  EXPECT_EQ(api.create(std::string(32, 'Z')).name, std::string(32, 'Z')) << "32 are allowed";
}

TEST(Limits, Passwords) {
  Api api;
  const User alice = api.create("alice");
  for (const std::size_t size : {std::size_t{0}, base::kMinPasswordBytes - 1, base::kMaxPasswordBytes + 1}) {
    const std::string password(size, 'p');
    v1::CreateAccountRequest create;
    create.set_name("bob");
    create.set_password(password);
    expect_refused(raw(api, create, alice), "password", "8 to 128");
    v1::LogInRequest log_in;
    log_in.set_name("alice");
    log_in.set_password(password);
    expect_refused(raw(api, log_in, alice), "password", "8 to 128");
    v1::ChangePasswordRequest change;
    change.set_password(alice.password);
    change.set_new_password(password);
    expect_refused(raw(api, change, alice), "new_password", "8 to 128");
    v1::DeleteAccountRequest remove;
    remove.set_password(password);
    expect_refused(raw(api, remove, alice), "password", "8 to 128");
  }
  for (const std::size_t size : {base::kMinPasswordBytes, base::kMaxPasswordBytes}) {
    v1::CreateAccountRequest create;
    create.set_name("size" + std::to_string(size));
    create.set_password(std::string(size, 'p'));
    EXPECT_TRUE(raw(api, create, alice));
  }
}

TEST(Limits, Bodies) {
  Api api;
  const User alice = api.create("alice");
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  expect_refused(raw(api, send, alice), "body", "1 to 16384");
  send.set_body(std::string(base::kMaxBodyBytes + 1, 'b'));
  expect_refused(raw(api, send, alice), "body", "1 to 16384");
  send.set_body(std::string(base::kMaxBodyBytes, 'b'));
  EXPECT_TRUE(raw(api, send, alice));
}

TEST(Limits, SetsOfIds) {
  Api api;
  const User alice = api.create("alice");
  const auto sent = api.send(alice, "alice", "hello");
  v1::MarkReadRequest mark;
  v1::DeleteMessagesRequest remove;
  expect_refused(raw(api, mark, alice), "message_ids", "1 to 1000");
  expect_refused(raw(api, remove, alice), "message_ids", "1 to 1000");
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{1} << 63U, ~std::uint64_t{0}}) {
    v1::MarkReadRequest none;
    none.add_message_ids(id);
    expect_refused(raw(api, none, alice), "message_ids", "2^63");
  }
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("hello");
  send.set_recipient_id(~std::uint64_t{0});
  expect_refused(raw(api, send, alice), "recipient_id", "2^63");
  for (std::uint64_t id = 0; id < 1'001; ++id) {
    mark.add_message_ids(sent.id() + id);
    remove.add_message_ids(sent.id() + id);
  }
  expect_refused(raw(api, mark, alice), "message_ids", "1 to 1000");
  expect_refused(raw(api, remove, alice), "message_ids", "1 to 1000");
  remove.mutable_message_ids()->Truncate(1'000);
  EXPECT_TRUE(raw(api, remove, alice));
}

TEST(Limits, PagesPatternsAndTokens) {
  Api api;
  const User alice = api.create("alice");
  for (const std::int32_t size : {-1, base::kMaxPageSize + 1}) {
    v1::ListAccountsRequest accounts;
    accounts.set_page_size(size);
    expect_refused(raw(api, accounts, alice), "page_size", "500");
    v1::ListMessagesRequest messages;
    messages.set_page_size(size);
    expect_refused(raw(api, messages, alice), "page_size", "500");
    v1::ListConversationsRequest conversations;
    conversations.set_page_size(size);
    expect_refused(raw(api, conversations, alice), "page_size", "500");
    v1::GetUnreadCountsRequest counts;
    counts.set_page_size(size);
    expect_refused(raw(api, counts, alice), "page_size", "500");
  }
  v1::ListAccountsRequest accounts;
  accounts.set_pattern(std::string(base::kMaxGlobChars + 1, '?'));
  expect_refused(raw(api, accounts, alice), "pattern", "64");
  accounts.set_pattern("*");
  accounts.set_page_token("garbage");
  expect_refused(raw(api, accounts, alice), "page_token", "");
}

TEST(Limits, RequestIds) {
  Api api;
  const User alice = api.create("alice");
  for (const char* id :
       {"garbage", "00000000-0000-0000-0000-000000000000", "018f4e9c-0000-4000-8000-000000000000",
        "018f4e9c-0000-7000-8000-00000000000", "018f4e9c-0000-7000-8000-0000000000000"}) {
    v1::SendMessageRequest send;
    send.set_recipient("alice");
    send.set_body("hello");
    send.set_request_id(id);
    expect_refused(raw(api, send, alice), "request_id", "UUIDv7");
  }
}

TEST(Limits, RequestsOfMoreThanOneMebibyte) {
  Api api;
  const User alice = api.create("alice");
  const auto refused = api.raw("parley.v1.MessageService", "SendMessage",
                               std::string(base::kMaxRequestBytes + 1, '\x0a'), alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::invalid_argument);
  EXPECT_THAT(refused.error().limit, HasSubstr("1048576"));
  EXPECT_EQ(refused.error(), base::request_too_large(base::kMaxRequestBytes + 1));
}

TEST(Limits, ACallWithoutADeadlineGetsTenSecondsAndNoneMoreThanSixty) {
  const node::Deadline now(1h);
  EXPECT_EQ(service::bounded_deadline(std::nullopt, now), now + 10s);
  for (const auto within : {1ms, 9'999ms, 10'001ms, 59'999ms, 60'000ms}) {
    EXPECT_EQ(service::bounded_deadline(now + within, now), now + within);
  }
  for (const node::Deadline beyond : {now + 60'001ms, now + 24h, node::Deadline::max()}) {
    EXPECT_EQ(service::bounded_deadline(beyond, now), now + 60s);
  }
  EXPECT_EQ(service::bounded_deadline(now - 1ms, now), now - 1ms) << "what has passed is not begun anew";
}

// Remembers until when the last write may take.
class DeadlineNode : public LocalNode {
 public:
  using LocalNode::LocalNode;
  void write(chat::Command command, node::Deadline deadline, node::WriteCallback done) override {
    last = deadline;
    LocalNode::write(std::move(command), deadline, std::move(done));
  }
  node::Deadline last;
};

TEST(Limits, TheNodeIsToldTheDeadlineWithinItsBounds) {
  const TemporaryFolder folder;
  DeadlineNode node(folder.path());
  service::Service service(node, quick_options());
  int number = 0;
  const auto write_until = [&](std::optional<node::Deadline> wanted) {
    v1::CreateAccountRequest create;
    create.set_name("name" + std::to_string(++number));
    create.set_password("password one");
    create.set_request_id(fresh_request_id(node));
    std::promise<base::Result<std::string>> promise;
    service.call(*service::find_method("parley.v1.AccountService", "CreateAccount"),
                 create.SerializeAsString(), {.deadline = wanted},
                 [&](base::Result<std::string> result) { promise.set_value(std::move(result)); });
    EXPECT_TRUE(promise.get_future().get());
    return node.last;
  };
  const auto before = std::chrono::steady_clock::now();
  const auto by_default = write_until(std::nullopt);
  const auto longest = write_until(before + 24h);
  const auto after = std::chrono::steady_clock::now();
  EXPECT_GE(by_default, before + 10s);
  EXPECT_LE(by_default, after + 10s);
  EXPECT_GE(longest, before + 60s);
  EXPECT_LE(longest, after + 60s);
  const auto own = std::chrono::steady_clock::now() + 50s;
  EXPECT_EQ(write_until(own), own);
}

TEST(Limits, NoMethodBeginsWhatHasToBeOverAlready) {
  Api api;
  const User alice = api.create("alice");
  const auto writes = api.node.writes();
  for (const auto& method : service::methods()) {
    if (method.kind != service::MethodKind::unary) {
      continue;
    }
    const auto refused = api.begin(method.service, method.name, "", alice.authorization(),
                                   std::chrono::steady_clock::now() - 1ms)
                             .get();
    ASSERT_FALSE(refused) << method.name;
    EXPECT_EQ(refused.error().code, base::Code::deadline_exceeded) << method.name;
    EXPECT_EQ(refused.error().outcome, base::Outcome::refused) << method.name;
    EXPECT_EQ(refused.error().reason, "DEADLINE_EXCEEDED") << method.name;
  }
  EXPECT_EQ(api.node.writes(), writes);
}

TEST(Limits, BytesThatAreNoProtobufAreRefusedByEveryMethod) {
  Api api;
  const User alice = api.create("alice");
  for (const auto& method : service::methods()) {
    const std::string garbage("\xff\xff\xff\xff\xff\xff", 6);
    base::Error error;
    if (method.kind == service::MethodKind::unary) {
      const auto refused = api.raw(method.service, method.name, garbage, alice.authorization());
      ASSERT_FALSE(refused) << method.name;
      error = refused.error();
    } else {
      const auto recorder = std::make_shared<Recorder>();
      const auto handle = api.service->open(*service::find_method(method.service, method.name), garbage,
                                            {.authorization = alice.authorization()}, recorder);
      const auto end = recorder->wait_for_end();
      ASSERT_TRUE(end) << method.name;
      error = *end;
    }
    EXPECT_EQ(error.code, base::Code::invalid_argument) << method.name;
    EXPECT_THAT(error.message, HasSubstr("does not parse")) << method.name;
  }
}

TEST(Limits, TextThatIsNoUtf8IsRefusedByEveryMethodByTheNameOfItsField) {
  Api api;
  const User alice = api.create("alice");
  std::size_t fields = 0;
  for (const auto& method : service::methods()) {
    const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
        "parley.v1." + std::string(method.name) + "Request");
    ASSERT_NE(type, nullptr) << method.name;
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING ||
          method.kind != service::MethodKind::unary) {
        continue;
      }
      ++fields;
      std::string bytes;
      bytes.push_back(static_cast<char>((field->number() << 3) | 2));
      bytes.append("\x02\xc3\x28", 3);
      const auto refused = api.raw(method.service, method.name, bytes, alice.authorization());
      ASSERT_FALSE(refused) << method.name;
      EXPECT_EQ(refused.error().code, base::Code::invalid_argument) << method.name;
      EXPECT_EQ(refused.error().field, field->name()) << method.name;
      EXPECT_THAT(refused.error().message, HasSubstr("UTF-8")) << method.name;
    }
  }
  EXPECT_GE(fields, 25U);
}

}  // namespace
}  // namespace parley::test
