// Api: a Service on a LocalNode with a temporary folder, and calls to it by method name. For tests of service
// and of what carries it. Owned by: the test. One thread.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "parley/v1/api.pb.h"
#include "service/service.h"
#include "tests/service/local_node.h"

namespace parley::test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// libsodium's least: tests make many passwords.
[[nodiscard]] service::ServiceOptions quick_options();

struct User {
  std::string name;
  std::string password = "password one";
  std::string token;
  std::uint64_t id = 0;
  [[nodiscard]] std::string authorization() const { return "Bearer " + token; }
};

class Api {
 public:
  explicit Api(service::ServiceOptions options = quick_options(), bool founded = true);

  // The answer of a unary method, as bytes.
  [[nodiscard]] std::future<base::Result<std::string>> begin(
      std::string_view service, std::string_view method, std::string_view request,
      std::string authorization = {}, std::optional<node::Deadline> deadline = {}) const;
  [[nodiscard]] base::Result<std::string> raw(std::string_view service, std::string_view method,
                                              std::string_view request, std::string authorization = {}) const;

  // By the names of the request: CreateAccountRequest goes to CreateAccount.
  template <class Response, class Request>
  [[nodiscard]] base::Result<Response> call(const Request& request,
                                            const std::string& authorization = {}) const {
    const auto bytes =
        raw(service_of<Request>(), method_of<Request>(), request.SerializeAsString(), authorization);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response;
  }

  [[nodiscard]] User create(const std::string& name) const;
  // The sent message.
  [[nodiscard]] v1::Message send(const User& from, const std::string& to, const std::string& body) const;

  template <class Request>
  static std::string method_of() {
    std::string name = Request::descriptor()->name();
    return name.substr(0, name.size() - std::string_view("Request").size());
  }
  template <class Request>
  static std::string service_of() {
    return service_of_method(method_of<Request>());
  }
  [[nodiscard]] static std::string service_of_method(const std::string& method);

  TemporaryFolder folder;
  LocalNode node;
  std::unique_ptr<service::Service> service;
};

// A fresh request_id by the node's time.
[[nodiscard]] std::string fresh_request_id(const LocalNode& node);

// What a stream brought, for waiting on.
class Recorder : public service::ReplyStream {
 public:
  explicit Recorder(std::size_t max_unread = 1'000'000) : max_unread_(max_unread) {}
  [[nodiscard]] bool send(std::string message) override;
  void finish(const base::Error& why) override;

  // Waits for the next response.
  template <class Response>
  [[nodiscard]] std::optional<Response> next() {
    const auto bytes = next_bytes();
    Response response;
    return bytes && response.ParseFromString(*bytes) ? std::optional(response) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string> next_bytes();
  [[nodiscard]] std::optional<base::Error> wait_for_end();

 private:
  const std::size_t max_unread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> messages_;
  std::optional<base::Error> end_;
};

}  // namespace parley::test
