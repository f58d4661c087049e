#include "tests/service/api.h"

#include <sodium.h>
#include <stdlib.h>

#include <array>
#include <utility>

#include "base/uuid7.h"

namespace parley::test {

using namespace std::chrono_literals;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "parley-test-XXXXXX";
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

service::ServiceOptions quick_options() {
  return {.version = "test",
          .password_cost = {.passes = crypto_pwhash_OPSLIMIT_MIN,
                            .memory_size_bytes = crypto_pwhash_MEMLIMIT_MIN}};
}

Api::Api(service::ServiceOptions options, bool founded)
    : node(folder.path(), founded), service(std::make_unique<service::Service>(node, std::move(options))) {}

std::future<base::Result<std::string>> Api::begin(std::string_view service_name, std::string_view method,
                                                  std::string_view request, std::string authorization,
                                                  std::optional<node::Deadline> deadline) const {
  const auto id = service::find_method(service_name, method);
  EXPECT_TRUE(id) << method;
  std::promise<base::Result<std::string>> promise;
  auto future = promise.get_future();
  service->call(*id, request, {.authorization = std::move(authorization), .deadline = deadline},
                [promise = std::move(promise)](base::Result<std::string> result) mutable {
                  promise.set_value(std::move(result));
                });
  return future;
}

base::Result<std::string> Api::raw(std::string_view service_name, std::string_view method,
                                   std::string_view request, std::string authorization) const {
  auto future = begin(service_name, method, request, std::move(authorization));
  if (future.wait_for(60s) != std::future_status::ready) {
    ADD_FAILURE() << method << " was not answered";
    return std::unexpected(base::Error{});
  }
  return future.get();
}

User Api::create(const std::string& name) const {
  User user{.name = name};
  v1::CreateAccountRequest request;
  request.set_name(name);
  request.set_password(user.password);
  request.set_request_id(fresh_request_id(node));
  const auto response = call<v1::CreateAccountResponse>(request);
  EXPECT_TRUE(response) << (response ? "" : response.error().message);
  if (response) {
    user.token = response->token();
    user.id = response->account().id();
  }
  return user;
}

v1::Message Api::send(const User& from, const std::string& to, const std::string& body) const {
  v1::SendMessageRequest request;
  request.set_recipient(to);
  request.set_body(body);
  const auto response = call<v1::SendMessageResponse>(request, from.authorization());
  EXPECT_TRUE(response) << (response ? "" : response.error().message);
  return response ? response->message() : v1::Message();
}

std::string Api::service_of_method(const std::string& method) {
  for (const auto& info : service::methods()) {
    if (info.name == method) {
      return std::string(info.service);
    }
  }
  ADD_FAILURE() << "no method " << method;
  return {};
}

std::string fresh_request_id(const LocalNode& node) {
  std::array<std::uint8_t, 10> random{};
  randombytes_buf(random.data(), random.size());
  return base::to_string(base::make_request_id(node.server_time_unix_ms(), random));
}

bool Recorder::send(std::string message) {
  {
    const std::scoped_lock lock(mutex_);
    if (messages_.size() >= max_unread_) {
      return false;
    }
    messages_.push_back(std::move(message));
  }
  changed_.notify_all();
  return true;
}

void Recorder::finish(const base::Error& why) {
  {
    const std::scoped_lock lock(mutex_);
    end_ = why;
  }
  changed_.notify_all();
}

std::optional<std::string> Recorder::next_bytes() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 60s, [this] { return !messages_.empty() || end_; });
  if (messages_.empty()) {
    return std::nullopt;
  }
  auto message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

std::optional<base::Error> Recorder::wait_for_end() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 60s, [this] { return end_.has_value(); });
  return end_;
}

}  // namespace parley::test
