// Services on the nodes of one cluster, in one process: through a node whose state is full, people log in,
// read and send as through any other, while leaders come and go (rule 16, J19).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/node/cluster.h"
#include "tests/node/failing_vfs.h"
#include "tests/service/api.h"
#include "tests/support/wait_until.h"

namespace parley::test {
namespace {

using node::testing::FailingVfs;
using node::testing::TestCluster;
using parley::testing::wait_until;
using ::testing::ElementsAre;

class ServicesOfACluster : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.start_all();
    static_cast<void>(cluster_.wait_for_leader());
    cluster_.wait_until_equal();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      services_[id] = std::make_unique<service::Service>(cluster_.node(id), quick_options());
    }
  }
  void kill(std::uint32_t id) {
    cluster_.node(id).kill();
    services_.erase(id);
    cluster_.kill(id);
  }
  template <class Response, class Request>
  base::Result<Response> call(std::uint32_t id, const Request& request, const std::string& token = {}) {
    std::promise<base::Result<std::string>> promise;
    auto future = promise.get_future();
    services_.at(id)->call(*service::find_method(Api::service_of<Request>(), Api::method_of<Request>()),
                           request.SerializeAsString(),
                           {.authorization = token.empty() ? "" : "Bearer " + token,
                            .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60)},
                           [&](base::Result<std::string> result) { promise.set_value(std::move(result)); });
    const auto bytes = future.get();
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response;
  }
  std::string sign_up(std::uint32_t id, const std::string& name) {
    v1::CreateAccountRequest request;
    request.set_name(name);
    request.set_password("password one");
    const auto response = call<v1::CreateAccountResponse>(id, request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->token() : "";
  }
  std::string log_in(std::uint32_t id, const std::string& name) {
    v1::LogInRequest request;
    request.set_name(name);
    request.set_password("password one");
    const auto response = call<v1::LogInResponse>(id, request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->token() : "";
  }
  void send(std::uint32_t id, const std::string& token, const std::string& body) {
    v1::SendMessageRequest request;
    request.set_recipient("anna");
    request.set_body(body);
    const auto response = call<v1::SendMessageResponse>(id, request, token);
    EXPECT_TRUE(response) << response.error().message;
  }
  std::vector<std::string> inbox(std::uint32_t id, const std::string& token) {
    const auto response = call<v1::ListMessagesResponse>(id, v1::ListMessagesRequest(), token);
    EXPECT_TRUE(response) << response.error().message;
    std::vector<std::string> bodies;
    for (const auto& message : response.value_or(v1::ListMessagesResponse()).messages()) {
      bodies.push_back(message.body());
    }
    return bodies;
  }
  void expect_full(std::uint32_t id) {
    EXPECT_TRUE(wait_until([&] {
      return cluster_.node(id).status().trouble.find("cannot apply") != std::string::npos;
    })) << cluster_.node(id).status().trouble;
  }

  std::map<std::uint32_t, std::unique_ptr<FailingVfs>> disks_ = [] {
    std::map<std::uint32_t, std::unique_ptr<FailingVfs>> disks;
    for (std::uint32_t id = 1; id <= 3; ++id) {
      disks[id] = std::make_unique<FailingVfs>("services-" + std::to_string(id));
    }
    return disks;
  }();
  TestCluster cluster_{3, [this](node::ReplicaOptions& options) {
                         options.sqlite_vfs = disks_.at(options.id.value())->name();
                       }};
  std::map<std::uint32_t, std::unique_ptr<service::Service>> services_;
};

TEST_F(ServicesOfACluster, J19_AFullNodeServesPeopleThroughTheLeader) {
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  const std::string anna = sign_up(full, "anna");
  disks_.at(full)->set_full(true);
  send(leader, anna, "one");
  expect_full(full);
  EXPECT_THAT(inbox(full, anna), ElementsAre("one"))
      << "what was acknowledged elsewhere, and not applied here";
  const std::string second = log_in(full, "anna");
  send(full, second, "two");
  EXPECT_THAT(inbox(full, second), ElementsAre("one", "two"));
  v1::LogInRequest wrong;
  wrong.set_name("anna");
  wrong.set_password("password two");
  const auto refused = call<v1::LogInResponse>(full, wrong);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::unauthenticated);
  kill(leader);
  EXPECT_THAT(inbox(full, second), ElementsAre("one", "two"));
  send(full, second, "three");
  const std::uint32_t heir = 6 - leader - full;
  EXPECT_EQ(cluster_.wait_for_leader(), heir);
  EXPECT_THAT(inbox(full, second), ElementsAre("one", "two", "three"));
  disks_.at(full)->set_full(false);
  EXPECT_TRUE(wait_until([&] { return cluster_.node(full).status().trouble.empty(); }));
  EXPECT_THAT(inbox(full, anna), ElementsAre("one", "two", "three")) << "by itself again";
}

TEST_F(ServicesOfACluster, J19_ALeaderThatRunsFullInTheMiddleAnswersAllTheSame) {
  const std::uint32_t full = cluster_.wait_for_leader();
  const std::string anna = sign_up(full, "anna");
  send(full, anna, "one");
  disks_.at(full)->set_full(true);
  // Whether these come before or after the hand-over: they are answered.
  send(full, anna, "two");
  EXPECT_THAT(inbox(full, anna), ElementsAre("one", "two"));
  expect_full(full);
  EXPECT_THAT(inbox(full, log_in(full, "anna")), ElementsAre("one", "two"));
  EXPECT_NE(cluster_.wait_for_leader(), full);
}

}  // namespace
}  // namespace parley::test
