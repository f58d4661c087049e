// Clients that ask and do not read: what waits for them is bounded, and so is the time that it waits.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "gateway/shared_page.h"
#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using parley::testing::wait_until;
using ::testing::HasSubstr;

constexpr std::size_t kMaxAnswerBytes = 8UL * 1024 * 1024;
constexpr std::string_view kPage = R"({"pageSize":500})";

class UnreadAnswers : public GatewayFixture {
 protected:
  explicit UnreadAnswers(gateway::GatewayLimits limits = {}) : GatewayFixture(limits, options()) {
    const std::string body(base::kMaxBodyBytes, 'x');
    for (int i = 0; i < 64; ++i) {
      (void)api_.send(alice_, "alice", body);
    }
  }

  static service::ServiceOptions options() {
    auto options = quick_options();
    options.max_answer_bytes_in_flight = kMaxAnswerBytes;
    return options;
  }

  // Asks for a page of a mebibyte, so often that the system's buffers do not take all the answers.
  [[nodiscard]] std::unique_ptr<HttpConnection> ask_and_do_not_read() const {
    auto connection = std::make_unique<HttpConnection>("127.0.0.1", port(), 4'096);
    for (int i = 0; i < 24; ++i) {
      EXPECT_TRUE(connection->request("POST", kMessages + "ListMessages",
                                      {{"Content-Type", kJson}, {"Authorization", alice_.authorization()}},
                                      kPage));
    }
    return connection;
  }

  [[nodiscard]] HttpReply list() const {
    return post_json(kMessages + "ListMessages", kPage, alice_.authorization());
  }

  [[nodiscard]] std::size_t waiting_bytes() const { return api_.service->load().answer_bytes_in_flight; }

  const User alice_ = api_.create("alice");
};

TEST_F(UnreadAnswers, AreBoundedTogether) {
  EXPECT_EQ(list().status, 200);
  std::vector<std::unique_ptr<HttpConnection>> unread;
  for (int i = 0; i < 12; ++i) {
    unread.push_back(ask_and_do_not_read());
  }
  HttpReply refused;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_LE(waiting_bytes(), kMaxAnswerBytes);
    refused = list();
    return refused.status != 200;
  }));
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("resource_exhausted"));
  EXPECT_THAT(refused.body, HasSubstr("try again or try another node"));
  EXPECT_EQ(post_json(kAccounts + "GetAccount", R"({"name":"alice"})", alice_.authorization()).status, 200)
      << "small answers have their room";
  EXPECT_EQ(
      post_json(kMessages + "SendMessage", R"({"recipient":"alice","body":"hello"})", alice_.authorization())
          .status,
      200);
  unread.clear();
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
  EXPECT_EQ(list().status, 200);
}

TEST_F(UnreadAnswers, KeepNoWriteFromBeingBegun) {
  const auto held = api_.service->answers()->charge(3 * kMaxAnswerBytes);
  EXPECT_EQ(list().status, 429);
  EXPECT_EQ(post_json(kAccounts + "LogIn", R"({"name":"alice","password":"password one"})").status, 200);
  EXPECT_EQ(
      post_json(kMessages + "SendMessage", R"({"recipient":"alice","body":"hello"})", alice_.authorization())
          .status,
      200);
}

// The least readable of bodies: as JSON each byte takes six.
TEST_F(UnreadAnswers, AnEventThatAsJsonIsTooMuchEndsItsStream) {
  const std::string unprintable(base::kMaxBodyBytes, '\x01');
  auto connection = connect();
  begin_stream(connection, kMessages + "Watch", alice_, kStreamJson, "{}");
  ASSERT_TRUE(connection.envelope()) << "the heartbeat";
  (void)api_.send(alice_, "alice", unprintable);
  EXPECT_GT(connection.envelope().value_or(Envelope{}).message.size(), 6 * base::kMaxBodyBytes)
      << "where there is room";
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
  const auto held = api_.service->answers()->charge(kMaxAnswerBytes);
  (void)api_.send(alice_, "alice", std::string(base::kMaxBodyBytes, 'x'));
  EXPECT_GT(connection.envelope().value_or(Envelope{}).message.size(), base::kMaxBodyBytes)
      << "20 KiB have always room";
  (void)api_.send(alice_, "alice", unprintable);
  const auto end = connection.envelope();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->flags, 2) << end->message.size();
  EXPECT_THAT(end->message.substr(0, 200), HasSubstr("resource_exhausted"));
  EXPECT_TRUE(connection.ends());
  EXPECT_TRUE(wait_until([&] { return api_.service->open_streams() == 0; }));
  EXPECT_EQ(waiting_bytes(), held.bytes());
  EXPECT_EQ(connection.ask("GET", "/healthz").status, 200) << "the connection goes on";
}

// What others than the API answer: as much as was sent comes back.
TEST_F(UnreadAnswers, AreBoundedWhoeverAnswers) {
  const Headers headers = {{"Host", std::string(9'000, 'x')}};
  EXPECT_EQ(ask("GET", "/", headers).status, 421);
  const auto held = api_.service->answers()->charge(kMaxAnswerBytes);
  EXPECT_EQ(ask("GET", "/", headers).status, 429);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(UnreadAnswers, DoNotKeepOperatorsFromTheirPages) {
  for (const auto& method : service::methods()) {
    for (int code = 0; code <= static_cast<int>(base::Code::unauthenticated); ++code) {
      metrics_.on_answer(method, static_cast<base::Code>(code), 1ms);
    }
  }
  ASSERT_GT(ask("GET", "/metrics").body.size(), 16UL * 1024) << "more than is answered uncharged";
  const auto held = api_.service->answers()->charge(2 * kMaxAnswerBytes);
  EXPECT_EQ(list().status, 429);
  for (const char* page : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_EQ(ask("GET", page).status, 200) << page;
  }
  const auto reply = ask("GET", "/metrics");
  EXPECT_THAT(reply.body, HasSubstr("\nparley_answer_bytes_in_flight "));
  EXPECT_GT(reply.body.size(), 16UL * 1024);
  EXPECT_EQ(waiting_bytes(), held.bytes());
}

TEST(SharedPage, IsTheSameForAllWhoAskWithinASecond) {
  gateway::SharedPage page;
  const auto start = std::chrono::steady_clock::now();
  const auto first = page.take("first", start);
  EXPECT_EQ(page.take("second", start + 999ms), first);
  EXPECT_EQ(*first, "first");
  EXPECT_EQ(*page.take("third", start + 1s), "third");
  EXPECT_EQ(*first, "first") << "whoever still writes it has it";
}

class UnreadEvents : public GatewayFixture {
 protected:
  static constexpr std::size_t kMaxBytes = 2UL * 1024 * 1024;
  UnreadEvents() : GatewayFixture({}, options()) {}
  static service::ServiceOptions options() {
    auto options = quick_options();
    options.max_answer_bytes_in_flight = kMaxBytes;
    return options;
  }
};

// One account opens streams that it does not read, and sends itself what grows as JSON.
TEST_F(UnreadEvents, AreBoundedAndKeepNoWriteFromBeingBegun) {
  constexpr std::size_t kStreams = 48;
  const User alice = api_.create("alice");
  std::vector<std::unique_ptr<HttpConnection>> unread;
  for (std::size_t i = 0; i < kStreams; ++i) {
    unread.push_back(std::make_unique<HttpConnection>("127.0.0.1", port(), 4'096));
    begin_stream(*unread.back(), kMessages + "Watch", alice, kStreamJson, "{}");
  }
  ASSERT_TRUE(wait_until([&] { return api_.node.watchers() == kStreams; }));
  std::string body;
  for (std::size_t i = 0; i < base::kMaxBodyBytes; ++i) {
    body += "\\u0001";
  }
  auto writer = connect();
  std::size_t most_bytes = 0;
  // Enough for the system's buffers, and then some: until nobody watches any more.
  for (int sent = 0; sent < 500 && api_.node.watchers() > 0; ++sent) {
    const auto reply = writer.ask("POST", kMessages + "SendMessage",
                                  {{"Content-Type", kJson}, {"Authorization", alice.authorization()}},
                                  R"({"recipient":"alice","body":")" + body + R"("})");
    ASSERT_EQ(reply.status, 200) << sent << ": " << reply.body.substr(0, 200);
    most_bytes = std::max(most_bytes, api_.service->load().answer_bytes_in_flight);
  }
  EXPECT_EQ(api_.node.watchers(), 0U) << "who does not read is cut off";
  EXPECT_LE(most_bytes, kMaxBytes + kStreams * 40 * 1024);
}

class HurriedAnswers : public UnreadAnswers {
 protected:
  HurriedAnswers() : UnreadAnswers(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.answer_timeout = 3s;
    limits.write_timeout = 10min;  // which each byte renews
    return limits;
  }
};

TEST_F(HurriedAnswers, AByteNowAndThenBuysNoTime) {
  const auto drip = ask_and_do_not_read();
  ASSERT_TRUE(wait_until([&] { return waiting_bytes() > 0; }));
  std::array<char, 1'024> some{};
  EXPECT_TRUE(wait_until([&] {
    (void)!recv(drip->descriptor(), some.data(), some.size(), MSG_DONTWAIT);
    return ask("GET", "/metrics").body.find("parley_http_connections 1\n") != std::string::npos;
  })) << "none but the one that asks is left";
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
}

}  // namespace
}  // namespace parley::test
