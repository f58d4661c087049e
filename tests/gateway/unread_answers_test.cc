// Clients that ask and do not read: what waits for them is bounded, and so is the time that it waits.
#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "base/limits.h"
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

// What others than the API answer: as much as was sent comes back.
TEST_F(UnreadAnswers, AreBoundedWhoeverAnswers) {
  const Headers headers = {{"Host", std::string(9'000, 'x')}};
  EXPECT_EQ(ask("GET", "/", headers).status, 421);
  const auto held = api_.service->answers()->charge(kMaxAnswerBytes);
  EXPECT_EQ(ask("GET", "/", headers).status, 429);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

class HurriedAnswers : public UnreadAnswers {
 protected:
  HurriedAnswers() : UnreadAnswers(limits()) {}
  static gateway::GatewayLimits limits() {
    gateway::GatewayLimits limits;
    limits.answer_timeout = 500ms;
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
