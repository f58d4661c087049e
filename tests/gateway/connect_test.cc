// Unary Connect over a real socket: both codecs, every rule about headers, errors and their bodies.
#include <google/protobuf/util/json_util.h>
#include <sodium.h>

#include "base/limits.h"
#include "parley/v1/api.pb.h"
#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using parley::testing::wait_until;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Connect : public GatewayFixture {
 protected:
  // The ErrorInfo of an error's body, which must be the JSON that Connect asks for.
  static v1::ErrorInfo info_of(const HttpReply& reply) {
    const std::string mark = R"("details":[{"type":"parley.v1.ErrorInfo","value":")";
    const auto begin = reply.body.find(mark);
    EXPECT_NE(begin, std::string::npos) << reply.body;
    EXPECT_EQ(reply.header("content-type"), kJson);
    v1::ErrorInfo info;
    if (begin == std::string::npos) {
      return info;
    }
    const auto end = reply.body.find('"', begin + mark.size());
    const std::string text = reply.body.substr(begin + mark.size(), end - begin - mark.size());
    std::string bytes(text.size(), '\0');
    std::size_t size = 0;
    EXPECT_EQ(
        sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
        0)
        << "unpadded base64: " << text;
    bytes.resize(size);
    EXPECT_TRUE(info.ParseFromString(bytes));
    return info;
  }
};

TEST_F(Connect, AConversationInJson) {
  const auto created =
      post_json(kAccounts + "CreateAccount", R"({"name":"alice","password":"password one"})");
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(created.header("content-type"), kJson);
  EXPECT_EQ(created.header("cache-control"), "no-store") << "it holds a token";
  v1::CreateAccountResponse account;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(created.body, &account).ok());
  const auto sent = post_json(kMessages + "SendMessage", R"({"recipient":"alice","body":"h\u00e9llo"})",
                              "Bearer " + account.token());
  ASSERT_EQ(sent.status, 200) << sent.body;
  EXPECT_THAT(sent.body, HasSubstr("\"body\":\"h\xc3\xa9llo\""));
  EXPECT_THAT(sent.body, HasSubstr("\"senderId\":\"" + std::to_string(account.account().id()) + "\""))
      << "64-bit integers are strings";
  EXPECT_THAT(sent.body, HasSubstr("\"position\":\""));
}

TEST_F(Connect, AConversationInProto) {
  v1::CreateAccountRequest create;
  create.set_name("alice");
  create.set_password("password one");
  const auto created =
      ask("POST", kAccounts + "CreateAccount", {{"Content-Type", kProto}}, create.SerializeAsString());
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(created.header("content-type"), kProto);
  v1::CreateAccountResponse account;
  ASSERT_TRUE(account.ParseFromString(created.body));
  EXPECT_EQ(account.account().name(), "alice");
}

TEST_F(Connect, FalseAndZeroAndEmptyListsArePrinted) {
  const User alice = api_.create("alice");
  const auto counts = post_json(kMessages + "GetUnreadCounts", "{}", alice.authorization());
  EXPECT_THAT(counts.body, HasSubstr(R"("counts":[])"));
  EXPECT_THAT(counts.body, HasSubstr(R"("total":"0")"));
}

TEST_F(Connect, UnknownFieldsAreIgnored) {
  const User alice = api_.create("alice");
  const auto answer =
      post_json(kAccounts + "GetAccount", R"({"name":"alice","later":{"a":[1]}})", alice.authorization());
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(Connect, AnErrorIsJsonInBothCodecs) {
  const User alice = api_.create("alice");
  v1::SendMessageRequest send;
  send.set_recipient("nobody");
  send.set_body("hello");
  const auto proto =
      ask("POST", kMessages + "SendMessage",
          {{"Content-Type", kProto}, {"Authorization", alice.authorization()}}, send.SerializeAsString());
  const auto json =
      post_json(kMessages + "SendMessage", R"({"recipient":"nobody","body":"hello"})", alice.authorization());
  for (const auto& reply : {proto, json}) {
    EXPECT_EQ(reply.status, 404);
    EXPECT_THAT(reply.body, StartsWith(R"({"code":"not_found","message":"Recipient does not exist.")"));
    const auto info = info_of(reply);
    EXPECT_EQ(info.outcome(), v1::OUTCOME_REFUSED);
    EXPECT_FALSE(info.reason().empty());
    EXPECT_NE(info.position(), 0U) << "decided in the log";
  }
}

struct Mapped {
  base::Code code;
  std::string name;
  int status;
};

TEST_F(Connect, EveryCodeHasItsNameAndStatus) {
  const User alice = api_.create("alice");
  using base::Code;
  for (const Mapped& row :
       std::initializer_list<Mapped>{{Code::cancelled, "canceled", 499},
                                     {Code::unknown, "unknown", 500},
                                     {Code::invalid_argument, "invalid_argument", 400},
                                     {Code::deadline_exceeded, "deadline_exceeded", 504},
                                     {Code::not_found, "not_found", 404},
                                     {Code::already_exists, "already_exists", 409},
                                     {Code::permission_denied, "permission_denied", 403},
                                     {Code::resource_exhausted, "resource_exhausted", 429},
                                     {Code::failed_precondition, "failed_precondition", 400},
                                     {Code::aborted, "aborted", 409},
                                     {Code::out_of_range, "out_of_range", 400},
                                     {Code::unimplemented, "unimplemented", 501},
                                     {Code::internal, "internal", 500},
                                     {Code::unavailable, "unavailable", 503},
                                     {Code::data_loss, "data_loss", 500},
                                     {Code::unauthenticated, "unauthenticated", 401}}) {
    api_.node.refuse_writes(base::outcome_unknown(row.code, "PLANTED", "A \"quoted\"\nreason\x01."));
    const auto reply =
        post_json(kMessages + "SendMessage", R"({"recipient":"alice","body":"x"})", alice.authorization());
    EXPECT_EQ(reply.status, row.status) << row.name;
    EXPECT_THAT(reply.body, StartsWith("{\"code\":\"" + row.name +
                                       "\",\"message\":\"A \\\"quoted\\\"\\nreason\\u0001.\""));
    EXPECT_EQ(info_of(reply).outcome(), v1::OUTCOME_UNKNOWN);
  }
}

TEST_F(Connect, OtherTypesOfContentAre415) {
  for (const std::string type :
       {"", "text/plain", "application/json; charset=latin1", "application/connect+json", "application/grpc",
        "application/x-www-form-urlencoded"}) {
    const auto reply = ask("POST", kAccounts + "LogIn", {{"Content-Type", type}}, "{}");
    EXPECT_EQ(reply.status, 415) << type;
    EXPECT_THAT(reply.header("accept-post"), HasSubstr(kJson));
  }
  EXPECT_EQ(ask("POST", kMessages + "Watch", {{"Content-Type", kJson}}, "{}").status, 415);
  EXPECT_EQ(
      ask("POST", kAccounts + "LogIn", {{"Content-Type", "Application/JSON; charset=UTF-8"}}, "{}").status,
      400)
      << "the type is right, the name is not";
}

TEST_F(Connect, OtherVerbsAre405AndChangeNothing) {
  for (const char* verb : {"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"}) {
    const auto reply = ask(verb, kAccounts + "CreateAccount?connect=v1&encoding=json&message=%7B%7D");
    EXPECT_EQ(reply.status, 405) << verb;
    EXPECT_EQ(reply.header("allow"), "POST");
  }
  EXPECT_EQ(api_.node.writes(), 0U);
}

TEST_F(Connect, WhatDoesNotExistIs404) {
  const auto reply = post_json(kMessages + "Absent", "{}");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(info_of(reply).reason(), "NO_SUCH_METHOD");
  EXPECT_EQ(post_json("/parley.v1.Absent/SendMessage", "{}").status, 404);
  EXPECT_EQ(post_json("/parley.v1.MessageService", "{}").status, 404);
  EXPECT_EQ(ask("GET", "/nothing").status, 404);
}

TEST_F(Connect, JsonThatDoesNotParseIsToldInWords) {
  for (const std::string body : {"", "{", "[]", "\"text\"", R"({"name":1})", R"({"name":"a"}x)", "\x01\x02",
                                 R"({"name":["a"]})", "null"}) {
    const auto reply = post_json(kAccounts + "LogIn", body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\"invalid_argument\"")) << body;
  }
  const auto broken = post_json(kAccounts + "LogIn", "{");
  EXPECT_THAT(broken.body, HasSubstr("The JSON does not parse as parley.v1.LogInRequest"));
  const std::string deep(2'000, '[');
  EXPECT_EQ(post_json(kAccounts + "LogIn", R"({"x":)" + deep).status, 400);
}

TEST_F(Connect, TextThatIsNoUtf8IsToldInWords) {
  const auto json = post_json(kAccounts + "LogIn", "{\"name\":\"\xff\"}");
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(info_of(json).reason(), "INVALID_UTF8");
  const auto proto = ask("POST", kAccounts + "LogIn", {{"Content-Type", kProto}}, "\x0a\x01\xff");
  EXPECT_EQ(proto.status, 400);
  EXPECT_EQ(info_of(proto).reason(), "INVALID_UTF8");
  EXPECT_EQ(info_of(proto).field(), "name");
  const auto half = post_json(kAccounts + "LogIn", R"({"name":"\ud800","password":"x"})");
  EXPECT_EQ(half.status, 400) << "half of a surrogate pair: " << half.body;
}

TEST_F(Connect, TimeoutsHaveOneToTenDigits) {
  const User alice = api_.create("alice");
  for (const std::string text : {"", "x", "-1", "12345678901", "1.5", " ", "1 2", "+1"}) {
    const auto reply = post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice.authorization(),
                                 {{"Connect-Timeout-Ms", text}});
    EXPECT_EQ(reply.status, 400) << "'" << text << "' " << reply.body;
    EXPECT_EQ(info_of(reply).reason(), "INVALID_TIMEOUT");
  }
  for (const std::string text : {"60000", "9999999999", "0000060000"}) {
    EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice.authorization(),
                        {{"Connect-Timeout-Ms", text}})
                  .status,
              200)
        << text;
  }
  EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice.authorization(),
                      {{"Connect-Timeout-Ms", "0"}})
                .status,
            504);
}

TEST_F(Connect, OnlyVersion1OfTheProtocolAndNoCompression) {
  EXPECT_EQ(info_of(post_json(kAccounts + "LogIn", "{}", {}, {{"Connect-Protocol-Version", "2"}})).reason(),
            "PROTOCOL_VERSION");
  const auto packed = post_json(kAccounts + "LogIn", "{}", {}, {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(packed.status, 501);
  EXPECT_EQ(info_of(packed).reason(), "COMPRESSION");
  const User alice = api_.create("alice");
  EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice.authorization(),
                      {{"Connect-Protocol-Version", "1"}, {"Content-Encoding", "identity"}})
                .status,
            200);
}

TEST_F(Connect, AdminMethodsAreRefusedHere) {
  for (const char* method : {"AddNode", "RemoveNode", "TransferLeadership"}) {
    const auto reply =
        post_json(kCluster + method, "{}", api_.create("x" + std::to_string(method[0])).authorization());
    EXPECT_EQ(reply.status, 403) << method;
    EXPECT_THAT(reply.body, HasSubstr("permission_denied"));
  }
}

TEST_F(Connect, EveryUnaryMethodIsReachedByItsName) {
  for (const auto& method : service::methods()) {
    if (method.kind != service::MethodKind::unary) {
      continue;
    }
    const std::string path = "/" + std::string(method.service) + "/" + std::string(method.name);
    const auto reply = post_json(path, "{}");
    EXPECT_GE(reply.status, 400) << path << " without a token";
    EXPECT_FALSE(info_of(reply).reason().empty()) << path;
  }
}

TEST_F(Connect, AClientThatGoesCancelsNoWrite) {
  const User alice = api_.create("alice");
  const auto before = api_.node.writes();
  api_.node.hold_answers(true);
  {
    auto connection = connect();
    ASSERT_TRUE(connection.request("POST", kMessages + "SendMessage",
                                   {{"Content-Type", kJson}, {"Authorization", alice.authorization()}},
                                   R"({"recipient":"alice","body":"still sent"})"));
    ASSERT_TRUE(wait_until([&] { return api_.node.held() > 0; }));
  }
  api_.node.hold_answers(false);
  EXPECT_TRUE(wait_until([&] { return api_.node.writes() == before + 1; }));
}

TEST_F(Connect, AClientThatOnlyStopsSendingGetsItsAnswer) {
  auto connection = connect();
  ASSERT_TRUE(connection.request("GET", "/healthz", {}));
  connection.finish_sending();
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 200);
}

TEST_F(Connect, EverythingCarriesTheHeadersOfSecurity) {
  for (const auto& reply : {ask("GET", "/healthz"), ask("GET", "/nothing"),
                            post_json(kAccounts + "LogIn", "{}"), post_json(kAccounts + "Absent", "{}")}) {
    EXPECT_THAT(reply.header("date"), ::testing::EndsWith(" GMT"));
    EXPECT_EQ(reply.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(reply.header("referrer-policy"), "no-referrer");
    EXPECT_EQ(reply.header("cross-origin-opener-policy"), "same-origin");
    EXPECT_THAT(reply.header("content-security-policy"), HasSubstr("default-src 'none'"));
    EXPECT_THAT(reply.header("content-security-policy"), HasSubstr("frame-ancestors 'none'"));
  }
}

// A node that only has a status, as one has that lost its majority.
class LonelyNode : public node::ChatNode {
 public:
  void write(chat::Command, node::Deadline, node::WriteCallback) override {}
  void read(node::ReadMode, node::Deadline, node::ReadCallback) override {}
  [[nodiscard]] std::unique_ptr<node::Subscription> watch(const node::WatchStart&,
                                                          std::shared_ptr<node::WatchSink>) override {
    return nullptr;
  }
  void call_leader(node::CallToLeader, node::ApiCallback) override {}
  void set_api_handler(std::weak_ptr<node::ApiHandler>) override {}
  [[nodiscard]] node::NodeStatus status() const override {
    node::NodeStatus status;
    status.trouble = "the disk is \"full\"";
    return status;
  }
  [[nodiscard]] std::optional<chat::TokenKey> token_key() const override { return std::nullopt; }
  [[nodiscard]] std::int64_t server_time_unix_ms() const override { return 0; }
};

TEST_F(Connect, ANodeThatIsNotReadySaysWhy) {
  LonelyNode lonely;
  auto gateway = *gateway::Gateway::listen({.listen = {"127.0.0.1", 0}, .advertise = {}, .limits = {}});
  gateway->serve(*api_.service, lonely, metrics_);
  HttpConnection connection("127.0.0.1", gateway->port());
  const auto reply = connection.ask("GET", "/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body,
            R"({"ready":false,"reasons":["no cluster yet: it waits for the other nodes of its list",)"
            R"("no word from a majority since it started","the disk is \"full\""]})");
  EXPECT_EQ(connection.ask("GET", "/healthz").status, 200);
}

TEST_F(Connect, MetricsCountWhatWasAnswered) {
  const User alice = api_.create("alice");
  EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice.authorization()).status, 200);
  EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"bob"})", alice.authorization()).status, 404);
  auto watching = connect();
  begin_stream(watching, kMessages + "Watch", alice, kStreamJson, "{}");
  ASSERT_TRUE(watching.envelope());
  const auto reply = ask("GET", "/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.header("content-type"), StartsWith("text/plain; version=0.0.4"));
  for (const char* line :
       {"parley_requests_total{code=\"ok\",method=\"GetAccount\"} 1",
        "parley_requests_total{code=\"not_found\",method=\"GetAccount\"} 1",
        "parley_request_duration_seconds_count{method=\"GetAccount\"} 2", "parley_role{role=\"leader\"} 1",
        "parley_role{role=\"follower\"} 0", "parley_term 1", "parley_http_streams 1", "parley_open_streams 1",
        "parley_http_connections ", "parley_http_answers_total{status=\"404\"} 1",
        "parley_build_info{version=\"1.2.3\"} 1", "# TYPE parley_acknowledged_writes_total counter",
        "parley_calls_in_flight 0"}) {
    EXPECT_THAT(reply.body, HasSubstr(line));
  }
  EXPECT_THAT(reply.body, Not(HasSubstr("alice")));
}

TEST_F(Connect, HealthAndReadiness) {
  EXPECT_EQ(ask("GET", "/healthz").body, R"({"alive":true})");
  const auto ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"ready":true,"reasons":[]})");
  EXPECT_EQ(ask("POST", "/healthz").status, 405);
  const auto head = connect().ask("HEAD", "/healthz");
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.body.empty());
}

}  // namespace
}  // namespace parley::test
