// Server streams over a real socket: envelopes, their end, readers that are slow or gone, shared events.
#include <google/protobuf/util/json_util.h>

#include "parley/v1/api.pb.h"
#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using parley::testing::wait_until;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Streams : public GatewayFixture {
 protected:
  using GatewayFixture::GatewayFixture;

  static v1::WatchResponse from_json(const std::optional<Envelope>& envelope) {
    v1::WatchResponse response;
    EXPECT_TRUE(envelope);
    if (envelope) {
      EXPECT_EQ(envelope->flags, 0);
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(envelope->message, &response).ok())
          << envelope->message;
    }
    return response;
  }

  // The last envelope of a stream that is refused at once.
  static std::string end_of(HttpConnection& connection) {
    const auto end = connection.envelope();
    EXPECT_TRUE(end);
    EXPECT_EQ(end.value_or(Envelope{}).flags, 2);
    EXPECT_TRUE(connection.ends());
    return end.value_or(Envelope{}).message;
  }
};

TEST_F(Streams, AWatchBringsEventsInBothCodecs) {
  const User alice = api_.create("alice");
  auto json = connect();
  auto proto = connect();
  const auto head = begin_stream(json, kMessages + "Watch", alice, kStreamJson, "{}");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-type"), kStreamJson);
  EXPECT_EQ(head.header("transfer-encoding"), "chunked");
  EXPECT_EQ(begin_stream(proto, kMessages + "Watch", alice, kStreamProto, "").header("content-type"),
            kStreamProto);
  EXPECT_TRUE(from_json(json.envelope()).has_heartbeat());
  v1::WatchResponse response;
  ASSERT_TRUE(response.ParseFromString(proto.envelope().value_or(Envelope{}).message));
  EXPECT_TRUE(response.has_heartbeat());
  const auto sent = api_.send(alice, "alice", "hello");
  EXPECT_EQ(from_json(json.envelope()).message().id(), sent.id());
  ASSERT_TRUE(response.ParseFromString(proto.envelope().value_or(Envelope{}).message));
  EXPECT_EQ(response.message().body(), "hello");
}

TEST_F(Streams, AResumeBringsWhatCameSince) {
  const User alice = api_.create("alice");
  const auto first = api_.send(alice, "alice", "one");
  const auto second = api_.send(alice, "alice", "two");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson,
               R"({"afterPosition":")" + std::to_string(first.id()) + R"("})");
  EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
  EXPECT_EQ(from_json(connection.envelope()).message().id(), second.id());
}

TEST_F(Streams, ARefusalIsTheEndOfAStreamThatIs200) {
  const User nobody{.name = "nobody", .token = "garbage"};
  for (const auto& type : {kStreamJson, kStreamProto}) {
    auto connection = connect();
    const auto head =
        begin_stream(connection, kMessages + "Watch", nobody, type, type == kStreamJson ? "{}" : "");
    EXPECT_EQ(head.status, 200);
    EXPECT_THAT(end_of(connection), StartsWith(R"({"error":{"code":"unauthenticated","message":")"));
    EXPECT_EQ(connection.ask("GET", "/healthz").status, 200) << "the connection goes on";
  }
}

TEST_F(Streams, EnvelopesThatMakeNoSense) {
  const User alice = api_.create("alice");
  const std::string large(2'000, 'x');
  for (const std::string& body :
       {std::string(), std::string("\0\0\0", 3), as_envelope("{}", 1), as_envelope("{}", 2),
        as_envelope("{}") + "x", as_envelope("{}") + as_envelope("{}"), as_envelope("{}").substr(0, 6),
        as_envelope("{"), as_envelope(""), std::string("\0\xff\xff\xff\xff", 5) + large}) {
    auto connection = connect();
    ASSERT_TRUE(connection.request("POST", kMessages + "Watch",
                                   {{"Content-Type", kStreamJson}, {"Authorization", alice.authorization()}},
                                   body));
    EXPECT_EQ(connection.reply_head().value_or(HttpReply{}).status, 200);
    EXPECT_THAT(end_of(connection), AnyOf(HasSubstr("invalid_argument"), HasSubstr("unimplemented")));
  }
  EXPECT_EQ(api_.node.watchers(), 0U);
}

TEST_F(Streams, HeadersAreCheckedInsideTheStream) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}", {{"Connect-Timeout-Ms", "soon"}});
  EXPECT_THAT(end_of(connection), HasSubstr("Connect-Timeout-Ms"));
  begin_stream(connection, kCluster + "Backup", alice, kStreamJson, "{}");
  EXPECT_THAT(end_of(connection), HasSubstr("permission_denied"));
}

TEST_F(Streams, ADeadlineEndsAStream) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}", {{"Connect-Timeout-Ms", "300"}});
  EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
  EXPECT_THAT(end_of(connection), HasSubstr("deadline_exceeded"));
  EXPECT_TRUE(wait_until([this] { return api_.service->open_streams() == 0; }));
}

TEST_F(Streams, TheStatusComesAgainAndAgain) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kCluster + "WatchStatus", alice, kStreamJson, R"({"intervalMs":100})");
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(connection.envelope().value_or(Envelope{}).message, HasSubstr("\"ROLE_LEADER\""));
  }
}

TEST_F(Streams, AReaderThatGoesEndsItsWatchThoughNothingIsWritten) {
  const User alice = api_.create("alice");
  {
    auto connection = connect();
    begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}");
    EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
    EXPECT_EQ(api_.node.watchers(), 1U);
  }
  EXPECT_TRUE(wait_until([this] { return api_.node.watchers() == 0 && api_.service->open_streams() == 0; }));
}

TEST_F(Streams, WhoLogsOutHearsTheEndOfItsStream) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}");
  EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
  EXPECT_EQ(post_json(kAccounts + "LogOut", "{}", alice.authorization()).status, 200);
  EXPECT_THAT(end_of(connection), HasSubstr(R"("code":"unauthenticated")"));
}

TEST_F(Streams, RequestsSentDuringAStreamWaitForItsEnd) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}", {{"Connect-Timeout-Ms", "300"}});
  EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
  ASSERT_TRUE(connection.request("GET", "/healthz", {}));
  EXPECT_THAT(end_of(connection), HasSubstr("deadline_exceeded"));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 200);
}

TEST_F(Streams, WhoTalksWithoutEndDuringAStreamIsCutOff) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}");
  while (connection.send(std::string(64'000, 'x'))) {
  }
  EXPECT_TRUE(wait_until([this] { return api_.node.watchers() == 0; }));
}

TEST_F(Streams, AStreamOverHttp10IsRefused) {
  auto connection = connect();
  ASSERT_TRUE(connection.send("POST " + kMessages + "Watch HTTP/1.0\r\nContent-Type: " + kStreamJson +
                              "\r\nContent-Length: 7\r\n\r\n" + as_envelope("{}")));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 505);
}

class SlowReaders : public Streams {
 protected:
  explicit SlowReaders(std::chrono::milliseconds cut_off_grace = 500ms) : Streams(limits(cut_off_grace)) {}
  static gateway::GatewayLimits limits(std::chrono::milliseconds cut_off_grace) {
    gateway::GatewayLimits limits;
    limits.max_queued_events = 20;
    limits.cut_off_grace = cut_off_grace;
    return limits;
  }
};

class SlowReadersWithGrace : public SlowReaders {
 protected:
  SlowReadersWithGrace() : SlowReaders(60s) {}
};

TEST_F(SlowReaders, IsCutOffAndTheOthersAreNot) {
  const User alice = api_.create("alice");
  auto slow = connect(4'096);
  auto quick = connect();
  begin_stream(slow, kMessages + "Watch", alice, kStreamJson, "{}");
  begin_stream(quick, kMessages + "Watch", alice, kStreamJson, "{}");
  EXPECT_TRUE(from_json(quick.envelope()).has_heartbeat());
  int sent = 0;
  while (api_.node.watchers() == 2 && sent < 5'000) {
    const auto message = api_.send(alice, "alice", std::string(16'000, 'x'));
    EXPECT_EQ(from_json(quick.envelope()).message().id(), message.id());
    ++sent;
  }
  EXPECT_LT(sent, 5'000) << "a reader that does not read is never cut off";
  EXPECT_TRUE(wait_until([this] { return api_.service->open_streams() == 1; })) << "its stream is let go";
  EXPECT_TRUE(slow.is_closed_by_peer());
}

TEST_F(SlowReadersWithGrace, WhoReadsInTimeHearsWhy) {
  const User alice = api_.create("alice");
  auto slow = connect(4'096);
  begin_stream(slow, kMessages + "Watch", alice, kStreamJson, "{}");
  EXPECT_TRUE(from_json(slow.envelope()).has_heartbeat());
  while (api_.node.watchers() == 1) {
    (void)api_.send(alice, "alice", std::string(16'000, 'x'));
  }
  std::optional<Envelope> last;
  for (auto next = slow.envelope(); next; next = slow.envelope()) {
    last = next;
    if (next->flags == 2) {
      break;
    }
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->flags, 2) << last->message.substr(0, 100);
  EXPECT_THAT(last->message, HasSubstr("resource_exhausted"));
}

TEST_F(Streams, StoppingEndsEachStreamWithAWord) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}");
  EXPECT_TRUE(from_json(connection.envelope()).has_heartbeat());
  api_.service->begin_shutdown();
  gateway_->stop(5s);
  EXPECT_THAT(end_of(connection), HasSubstr("unavailable"));
  EXPECT_TRUE(connection.is_closed_by_peer());
}

TEST_F(Streams, ManyIdleStreamsAreServed) {
  const User alice = api_.create("alice");
  std::vector<std::unique_ptr<HttpConnection>> readers;
  for (int i = 0; i < 300; ++i) {
    readers.push_back(std::make_unique<HttpConnection>("127.0.0.1", port()));
    begin_stream(*readers.back(), kMessages + "Watch", alice, i % 2 == 0 ? kStreamJson : kStreamProto,
                 i % 2 == 0 ? "{}" : "");
    EXPECT_TRUE(readers.back()->envelope());
  }
  const auto sent = api_.send(alice, "alice", "to all");
  for (std::size_t i = 0; i < readers.size(); ++i) {
    v1::WatchResponse response;
    const auto envelope = readers[i]->envelope().value_or(Envelope{});
    if (i % 2 == 0) {
      response = from_json(envelope);
    } else {
      ASSERT_TRUE(response.ParseFromString(envelope.message));
    }
    EXPECT_EQ(response.message().id(), sent.id());
  }
}

}  // namespace
}  // namespace parley::test
