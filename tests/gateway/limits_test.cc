// What a client cannot do to a gateway: sizes, times, numbers, order, garbage.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <vector>

#include "base/limits.h"
#include "base/request_size.h"
#include "gateway/connect.h"
#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using parley::testing::wait_until;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;

class Limits : public GatewayFixture {
 protected:
  using GatewayFixture::GatewayFixture;

  // The answer to these bytes, and that the connection is closed then.
  [[nodiscard]] HttpReply refusal_of(std::string_view bytes) const {
    auto connection = connect();
    (void)connection.send(bytes);
    const auto reply = connection.reply().value_or(HttpReply{});
    EXPECT_EQ(reply.header("connection"), "close");
    EXPECT_TRUE(connection.is_closed_by_peer());
    return reply;
  }
};

TEST_F(Limits, HeadersAreAtMost16KiB) {
  EXPECT_EQ(ask("GET", "/healthz", {{"X-Large", std::string(15'000, 'x')}}).status, 200);
  const auto reply = refusal_of("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + std::string(40'000, 'x'));
  EXPECT_EQ(reply.status, 431);
  EXPECT_THAT(reply.body, HasSubstr("16384"));
  EXPECT_EQ(refusal_of("GET /" + std::string(200'000, 'x') + " HTTP/1.1\r\n").status, 431);
}

TEST_F(Limits, BodiesAreAtMostAMebibyteAndAnEnvelope) {
  const User alice = api_.create("alice");
  const auto fits =
      post_json(kAccounts + "GetAccount",
                R"({"name":"alice","x":")" + std::string(base::kMaxRequestBytes - 100, 'x') + "\"}",
                alice.authorization());
  EXPECT_EQ(fits.status, 200) << fits.body;
  // Refused by what the header tells, before a byte of it is read.
  const auto announced =
      refusal_of("POST " + kAccounts + "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
                 "\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(announced.status, 413);
  EXPECT_EQ(announced.body, gateway::error_json(base::request_too_large(99'999'999)));
  // In chunks nothing is told beforehand.
  std::string chunked = "POST " + kAccounts + "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
                        "\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    chunked += "2000\r\n" + std::string(0x2000, 'x') + "\r\n";
  }
  const auto untold = refusal_of(chunked);
  EXPECT_EQ(untold.status, 413);
  EXPECT_EQ(untold.body, gateway::error_json(base::request_too_large(std::nullopt)));
  EXPECT_THAT(untold.body, HasSubstr("at most 1048576"));
}

// Of what stands around the chunks, nothing is a body.
TEST_F(Limits, HeadersOfChunksAndTrailersAreAtMost16KiB) {
  const std::string head = "POST " + kAccounts +
                           "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
                           "\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string much(100'000, 'x');
  EXPECT_EQ(refusal_of(head + "2;" + much).status, 431);
  EXPECT_EQ(refusal_of(head + "2\r\n{}\r\n0\r\nX-Large: " + much).status, 431);
}

TEST_F(Limits, AChunkedRequestIsRead) {
  auto connection = connect();
  ASSERT_TRUE(connection.send(
      "POST " + kAccounts + "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
      "\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"name\":\r\n8\r\n\"nobody\"\r\n1\r\n}\r\n0\r\n\r\n"));
  const auto reply = connection.reply().value_or(HttpReply{});
  EXPECT_THAT(reply.status, AnyOf(Eq(400), Eq(401))) << reply.body;
}

TEST_F(Limits, WhoWaitsForAWordBeforeTheBodyGetsIt) {
  auto connection = connect();
  ASSERT_TRUE(connection.send("POST " + kAccounts + "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " +
                              kJson + "\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 100);
  ASSERT_TRUE(connection.send("{}"));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 400);
}

TEST_F(Limits, WhatIsNoHttpIsRefused) {
  for (const std::string bytes :
       {"hello\r\n\r\n", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"}) {
    EXPECT_THAT(refusal_of(bytes).status, AnyOf(Eq(400), Eq(505))) << bytes;
  }
  EXPECT_EQ(refusal_of("POST " + kAccounts +
                       "LogIn HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n")
                .status,
            400);
}

TEST_F(Limits, ATargetMayNameItsHost) {
  auto connection = connect();
  ASSERT_TRUE(connection.send("GET http://evil.example/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 421) << "the target counts, not the header";
}

TEST_F(Limits, PipelinedRequestsAreAnsweredInOrder) {
  const User alice = api_.create("alice");
  auto connection = connect();
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string body = R"({"recipient":"alice","body":")" + std::to_string(i) + "\"}";
    all += "POST " + kMessages + "SendMessage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
           "\r\nAuthorization: " + alice.authorization() +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    all += "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  }
  ASSERT_TRUE(connection.send(all));
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(connection.reply().value_or(HttpReply{}).body,
                HasSubstr("\"body\":\"" + std::to_string(i) + "\""));
    EXPECT_EQ(connection.reply().value_or(HttpReply{}).body, R"({"alive":true})");
  }
}

TEST_F(Limits, HttpOfYesterdayIsAnsweredAndClosed) {
  auto connection = connect();
  ASSERT_TRUE(connection.send("GET /healthz HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(connection.reply().value_or(HttpReply{}).status, 200);
  EXPECT_TRUE(connection.is_closed_by_peer());
}

// As a proxy or a bad line may mangle them: nothing of it may harm the process or the next client.
TEST_F(Limits, RandomBytesHarmNobody) {
  const User alice = api_.create("alice");
  const std::string body = R"({"recipient":"alice","body":"hello","requestId":""})";
  const std::vector<std::string> seeds = {
      "POST " + kMessages + "SendMessage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kJson +
          "\r\nAuthorization: " + alice.authorization() + "\r\nConnect-Timeout-Ms: 1000\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body,
      "POST " + kMessages + "Watch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + kStreamJson +
          "\r\nAuthorization: " + alice.authorization() +
          "\r\nConnect-Timeout-Ms: 1\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + as_envelope("{}") +
          "\r\n0\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
  };
  std::mt19937 random(20'261'121);
  const auto below = [&random](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes = seeds[below(seeds.size())];
    for (std::size_t change = below(6) + 1; change > 0 && !bytes.empty(); --change) {
      const std::size_t at = below(bytes.size());
      switch (below(5)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes.erase(at, below(20));
          break;
        case 2:
          bytes.insert(at, bytes.substr(below(bytes.size()), below(40)));
          break;
        case 3:
          bytes.resize(at + 1);
          break;
        default:
          bytes[at] = "\r\n\0:{}\"\\ ;,%\xff"[below(13)];
      }
    }
    auto connection = connect();
    (void)connection.send(bytes);
    connection.finish_sending();
    ASSERT_TRUE(connection.is_closed_by_peer()) << "round " << round;
  }
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  EXPECT_TRUE(wait_until([this] { return api_.service->open_streams() == 0; }));
}

class Hurried : public Limits {
 protected:
  Hurried() : Limits(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.header_timeout = 2s;
    limits.body_timeout = 2s;
    limits.idle_timeout = 2s;
    return limits;
  }
};

TEST_F(Hurried, WhoDripsAHeaderIsCutOff) {
  auto connection = connect();
  ASSERT_TRUE(connection.send("GET /healthz HTTP/1.1\r\n"));
  const bool refused = wait_until([&connection] { return !connection.send("X-Drip: x\r\n"); }, 60s, 200ms);
  EXPECT_TRUE(refused) << "bytes that come one by one do not buy time";
}

TEST_F(Hurried, WhoStopsInTheMiddleHearsWhy) {
  EXPECT_EQ(refusal_of("GET /healthz HT").status, 408);
  EXPECT_EQ(refusal_of("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc").status, 408);
}

TEST_F(Hurried, WhoSaysNothingIsCutOffWithoutAWord) {
  auto fresh = connect();
  EXPECT_FALSE(fresh.reply());
  auto asked_before = connect();
  EXPECT_EQ(asked_before.ask("GET", "/healthz").status, 200);
  EXPECT_TRUE(asked_before.is_closed_by_peer());
}

TEST_F(Hurried, AStreamIsNotIdle) {
  const User alice = api_.create("alice");
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice, kStreamJson, "{}");
  ASSERT_TRUE(connection.envelope());
  EXPECT_TRUE(connect().is_closed_by_peer()) << "as long as that takes";
  EXPECT_TRUE(connect().is_closed_by_peer());
  (void)api_.send(alice, "alice", "later");
  EXPECT_TRUE(connection.envelope());
}

class Full : public Limits {
 protected:
  Full() : Limits(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.max_connections = 20;
    return limits;
  }
};

TEST_F(Full, TooManyConnectionsAreToldSo) {
  const User alice = api_.create("alice");
  std::vector<std::unique_ptr<HttpConnection>> watching;
  for (int i = 0; i < 20; ++i) {
    watching.push_back(std::make_unique<HttpConnection>("127.0.0.1", port()));
    begin_stream(*watching.back(), kMessages + "Watch", alice, kStreamJson, "{}");
  }
  auto one_more = connect();
  const auto reply = one_more.reply().value_or(HttpReply{});
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("too many connections"));
  watching.clear();
  EXPECT_TRUE(wait_until([this] { return ask("GET", "/healthz").status == 200; }));
}

// Who was refused and does not go takes a file, too.
class Crowded : public Limits {
 protected:
  Crowded() : Limits(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.max_connections = 3;
    limits.max_refused_connections = 2;
    limits.linger = 600s;
    return limits;
  }
};

TEST_F(Crowded, FarTooManyConnectionsAreClosedWithoutAWord) {
  std::vector<std::unique_ptr<HttpConnection>> inside;
  for (int i = 0; i < 3; ++i) {
    inside.push_back(std::make_unique<HttpConnection>("127.0.0.1", port()));
    EXPECT_EQ(inside.back()->ask("GET", "/healthz").status, 200);
  }
  auto fourth = connect();
  auto fifth = connect();
  EXPECT_EQ(fourth.reply().value_or(HttpReply{}).status, 503);
  EXPECT_EQ(fifth.reply().value_or(HttpReply{}).status, 503);
  auto sixth = connect();
  EXPECT_FALSE(sixth.reply());
  EXPECT_TRUE(sixth.is_closed_by_peer());
  EXPECT_EQ(inside.front()->ask("GET", "/healthz").status, 200);
  inside.clear();
  EXPECT_TRUE(wait_until([this] { return ask("GET", "/healthz").status == 200; }));
}

class Uploads : public Limits {
 protected:
  Uploads() : Limits(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.max_coming_body_bytes = 1'100'000;
    return limits;
  }
  static std::string head(std::size_t length) {
    return "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n";
  }
  [[nodiscard]] int send_message(const User& from, std::size_t size_bytes) const {
    return post_json(kMessages + "SendMessage",
                     R"({"recipient":"alice","body":"hello","x":")" + std::string(size_bytes, 'x') + "\"}",
                     from.authorization())
        .status;
  }
};

TEST_F(Uploads, LargeOnesTogetherAreBoundedAndSmallOnesPass) {
  const User alice = api_.create("alice");
  {
    auto first = connect();
    ASSERT_TRUE(first.send(head(1'048'000)));
    EXPECT_EQ(first.reply().value_or(HttpReply{}).status, 100);
    ASSERT_TRUE(first.send(std::string(1'047'999, 'x')));
    EXPECT_TRUE(wait_until([&] { return send_message(alice, 100'000) == 503; }));
    EXPECT_EQ(send_message(alice, 60'000), 200) << "though all together are more than large ones may be";
  }
  EXPECT_TRUE(wait_until([&] { return send_message(alice, 100'000) == 200; }));
}

// What was announced takes no memory, and so keeps nobody out.
TEST_F(Uploads, SilentOnesCostNothing) {
  const User alice = api_.create("alice");
  std::vector<std::unique_ptr<HttpConnection>> silent;
  for (int i = 0; i < 256; ++i) {
    silent.push_back(std::make_unique<HttpConnection>("127.0.0.1", port()));
    ASSERT_TRUE(silent.back()->send(
        i % 2 == 0
            ? head(base::kMaxRequestBytes)
            : "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
    EXPECT_EQ(silent.back()->reply().value_or(HttpReply{}).status, 100) << "it is taken";
  }
  EXPECT_EQ(send_message(alice, 0), 200);
  EXPECT_EQ(send_message(alice, 1'000'000), 200);
}

std::chrono::microseconds used_cpu_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Without a file for it a connection cannot be taken: the gateway waits, and goes on when there is one again.
TEST_F(Limits, GoesOnAfterFilesHaveRunOut) {
  auto inside = connect();
  EXPECT_EQ(inside.ask("GET", "/healthz").status, 200);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const std::string_view question = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(send(fd, question.data(), question.size(), MSG_NOSIGNAL), static_cast<ssize_t>(question.size()));
  const auto cpu_before = used_cpu_time();
  const timeval a_second{.tv_sec = 1, .tv_usec = 0};  // poll() would look at the limit, too
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &a_second, sizeof a_second);
  char first = 0;
  EXPECT_EQ(recv(fd, &first, 1, 0), -1) << "nothing could take it";
  EXPECT_LT(used_cpu_time() - cpu_before, 500ms) << "and nobody tried without end";
  EXPECT_EQ(inside.ask("GET", "/healthz").status, 200) << "those who are in are served";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(recv(fd, &first, 1, 0), 1);
  close(fd);
}

}  // namespace
}  // namespace parley::test
