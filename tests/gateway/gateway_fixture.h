// GatewayFixture: a Gateway on loopback before a Service on a LocalNode. Owned by: a test. One thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "tests/gateway/http_connection.h"
#include "tests/service/api.h"
#include "tests/support/wait_until.h"

namespace parley::test {

inline const std::string kAccounts = "/parley.v1.AccountService/";
inline const std::string kMessages = "/parley.v1.MessageService/";
inline const std::string kCluster = "/parley.v1.ClusterService/";
inline const std::string kJson = "application/json";
inline const std::string kProto = "application/proto";
inline const std::string kStreamJson = "application/connect+json";
inline const std::string kStreamProto = "application/connect+proto";

class GatewayFixture : public ::testing::Test {
 protected:
  explicit GatewayFixture(gateway::GatewayLimits limits = {},
                          service::ServiceOptions service = quick_options())
      : api_(counted(std::move(service))) {
    auto listening =
        gateway::Gateway::listen({.listen = {"127.0.0.1", 0}, .advertise = {}, .limits = limits});
    EXPECT_TRUE(listening) << (listening ? "" : listening.error());
    gateway_ = *std::move(listening);
    gateway_->serve(*api_.service, api_.node, metrics_);
  }

  [[nodiscard]] std::uint16_t port() const { return gateway_->port(); }
  [[nodiscard]] HttpConnection connect(int receive_buffer_bytes = 0) const {
    return HttpConnection("127.0.0.1", port(), receive_buffer_bytes);
  }

  // On a connection of its own.
  [[nodiscard]] HttpReply ask(std::string_view verb, std::string_view target, const Headers& headers = {},
                              std::string_view body = {}) const {
    return connect().ask(verb, target, headers, body);
  }
  [[nodiscard]] HttpReply post_json(std::string_view target, std::string_view body,
                                    const std::string& authorization = {}, Headers headers = {}) const {
    headers.emplace_back("Content-Type", kJson);
    if (!authorization.empty()) {
      headers.emplace_back("Authorization", authorization);
    }
    return ask("POST", target, headers, body);
  }

  // Begins a stream, and takes its head.
  static HttpReply begin_stream(HttpConnection& connection, const std::string& method, const User& user,
                                const std::string& type, std::string_view message, Headers headers = {}) {
    headers.emplace_back("Content-Type", type);
    headers.emplace_back("Authorization", user.authorization());
    EXPECT_TRUE(connection.request("POST", method, headers, as_envelope(message)));
    const auto head = connection.reply_head();
    EXPECT_TRUE(head);
    return head.value_or(HttpReply{});
  }

  service::ServiceOptions counted(service::ServiceOptions options) {
    options.on_answer = [this](const auto& method, base::Code code, auto took) {
      metrics_.on_answer(method, code, took);
    };
    return options;
  }

  gateway::Metrics metrics_{"1.2.3"};
  Api api_;
  std::unique_ptr<gateway::Gateway> gateway_;
};

}  // namespace parley::test
