// The client library against scripted servers: each test is a fault and what the caller must hear of it.
#include "client/client.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/uuid7.h"
#include "tests/client/scripted_server.h"
#include "tests/support/wait_until.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::dead_address;
using testing::error_status;
using testing::refused_status;
using testing::Script;
using testing::ScriptedServer;
using ::testing::SizeIs;

ClientOptions options_for(std::vector<base::Address> servers) {
  ClientOptions options;
  options.servers = std::move(servers);
  options.timeout = seconds(60);
  // Attempts are counted: a slow machine makes no further ones.
  options.connect_timeout = options.attempt_timeout = options.keepalive_interval = seconds(20);
  options.first_server = 0;
  return options;
}

v1::SendMessageRequest hello() {
  v1::SendMessageRequest request;
  request.set_recipient("bob");
  request.set_body("hello");
  return request;
}

// Remembers the request ids that it was sent, and lets the first `faults` attempts fail.
class Sends {
 public:
  Sends(int faults, grpc::Status fault) : faults_(faults), fault_(std::move(fault)) {}
  [[nodiscard]] Script script() {
    Script script;
    script.send_message = [this](grpc::ServerContext&, const v1::SendMessageRequest& request,
                                 v1::SendMessageResponse& response) {
      const std::scoped_lock lock(mutex_);
      ids_.push_back(request.request_id());
      if (faults_-- > 0) {
        return fault_;
      }
      response.set_position(ids_.size());
      return grpc::Status::OK;
    };
    return script;
  }
  [[nodiscard]] std::vector<std::string> ids() const {
    const std::scoped_lock lock(mutex_);
    return ids_;
  }

 private:
  mutable std::mutex mutex_;
  int faults_;
  grpc::Status fault_;
  std::vector<std::string> ids_;
};

TEST(Client, RetriesWithTheSameRequestId) {
  Sends sends(2, {grpc::StatusCode::UNAVAILABLE, "reply lost"});
  const ScriptedServer first(sends.script());
  const ScriptedServer second(sends.script());
  Client client(options_for({first.address(), second.address()}));
  std::vector<Retry> retries;
  const auto outcome =
      client.send_message(hello(), {.on_retry = [&](const Retry& retry) { retries.push_back(retry); }});
  ASSERT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(outcome));
  const auto ids = sends.ids();
  ASSERT_THAT(ids, SizeIs(3));
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1U);
  EXPECT_TRUE(base::parse_request_id(ids[0]).has_value());
  ASSERT_THAT(retries, SizeIs(2));
  EXPECT_NE(retries[0].server, retries[1].server);
  EXPECT_EQ(retries[0].error.outcome, base::Outcome::unknown);
}

TEST(Client, FindsALivingServer) {
  Sends sends(0, grpc::Status::OK);
  const ScriptedServer living(sends.script());
  Client client(options_for({dead_address(), dead_address(), living.address()}));
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
}

TEST(Client, WhereNobodyListensTheCallEndsAndSaysWhatWasTried) {
  const std::vector<base::Address> dead = {dead_address(), dead_address(), dead_address()};
  auto options = options_for(dead);
  options.timeout = seconds(600);  // longer than the test may take
  Client client(std::move(options));
  const CallOptions call{.nobody_after = milliseconds(100)};
  const auto outcome = client.send_message(hello(), call);
  const auto* const refused = std::get_if<Refused>(&outcome);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->error.code, base::Code::unavailable);
  for (const base::Address& address : dead) {
    EXPECT_THAT(refused->error.message, ::testing::HasSubstr(base::to_string(address)));
  }
  const auto status = client.get_status({}, call);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().reason, "NO_CONNECTION");
}

TEST(Client, WhileOneNodeIsAliveItWaits) {
  Sends sends(5, refused_status(grpc::StatusCode::UNAVAILABLE, "no leader"));
  const ScriptedServer living(sends.script());
  Client client(options_for({dead_address(), living.address(), dead_address()}));
  const auto outcome = client.send_message(hello(), {.nobody_after = milliseconds(0)});
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(outcome));
}

TEST(Client, AWriteThatMayHaveHappenedWaitsAlthoughNobodyListensAnyMore) {
  Sends sends(100, {grpc::StatusCode::UNAVAILABLE, "reply lost"});
  auto server = std::make_unique<ScriptedServer>(sends.script());
  const base::Address address = server->address();
  Client client(options_for({address}));
  int refusals = 0;
  Sends later(0, grpc::Status::OK);
  std::unique_ptr<ScriptedServer> back;
  const auto outcome = client.send_message(
      hello(), {.on_retry =
                    [&](const Retry& retry) {
                      server.reset();
                      refusals += retry.error.reason == "NO_CONNECTION" ? 1 : 0;
                      if (refusals == 3 && !back) {
                        back = std::make_unique<ScriptedServer>(later.script(), address.port);
                      }
                    },
                .nobody_after = milliseconds(0)});
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(outcome));
  EXPECT_EQ(later.ids(), std::vector<std::string>{sends.ids().front()});
}

// Whichever server was asked last: that the cluster has no majority is what is wrong, not that one node is
// dead.
TEST(Client, WhatANodeSaysOfTheClusterIsToldRatherThanWhoIsDead) {
  Script script;
  script.send_message = [](grpc::ServerContext&, const v1::SendMessageRequest&, v1::SendMessageResponse&) {
    return refused_status(grpc::StatusCode::UNAVAILABLE, "No leader");
  };
  script.get_account = [](grpc::ServerContext&, const v1::GetAccountRequest&, v1::GetAccountResponse&) {
    return refused_status(grpc::StatusCode::UNAVAILABLE, "No leader");
  };
  const ScriptedServer alive(script);
  Client client(options_for({alive.address(), dead_address(), dead_address(), dead_address()}));
  const CallOptions call{.timeout = milliseconds(4'000)};
  const auto outcome = client.send_message(hello(), call);
  const auto* const refused = std::get_if<Refused>(&outcome);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->error.message, "No leader");
  const auto answer = client.get_account({}, call);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "No leader");
}

TEST(Client, SpreadsItsCalls) {
  Sends here(0, grpc::Status::OK);
  Sends there(0, grpc::Status::OK);
  const ScriptedServer first(here.script());
  const ScriptedServer second(there.script());
  Client client(options_for({first.address(), second.address()}));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
  }
  EXPECT_THAT(here.ids(), SizeIs(5));
  EXPECT_THAT(there.ids(), SizeIs(5));
}

// A last attempt of a few milliseconds would only make a refusal an unknown outcome.
TEST(Client, WhatWasRefusedIsNotTriedAgainJustBeforeTheEnd) {
  std::atomic<int> attempts = 0;
  Script script;
  script.send_message = [&](grpc::ServerContext& context, const v1::SendMessageRequest&,
                            v1::SendMessageResponse&) {
    if (++attempts > 1) {  // not answered in the time that is left
      EXPECT_TRUE(testing::wait_until([&] { return context.IsCancelled(); }));
      return grpc::Status(grpc::StatusCode::CANCELLED, "");
    }
    v1::ErrorInfo info;
    info.set_reason("NO_LEADER");
    info.set_outcome(v1::OUTCOME_REFUSED);
    info.set_retry_after_ms(3'950);
    return error_status(grpc::StatusCode::UNAVAILABLE, "No leader", info);
  };
  const ScriptedServer server(script);
  Client client(options_for({server.address()}));
  const auto outcome = client.send_message(hello(), {.timeout = milliseconds(4'000)});
  EXPECT_TRUE(std::holds_alternative<Refused>(outcome));
  EXPECT_EQ(attempts, 1);
}

TEST(Client, NobodyThereIsRefusedNotUnknown) {
  Client client(options_for({dead_address(), dead_address()}));
  const auto outcome = client.send_message(hello(), {.timeout = milliseconds(500)});
  ASSERT_TRUE(std::holds_alternative<Refused>(outcome));
  EXPECT_EQ(std::get<Refused>(outcome).error.code, base::Code::unavailable);
}

// must-pass J22
TEST(Client, J22_ReplyLostThenOverloadIsUnknownNeverFailed) {
  std::atomic<int> attempts = 0;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest&, v1::SendMessageResponse&) {
    return ++attempts == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "reply lost")
                           : refused_status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much to do");
  };
  const ScriptedServer server(script);
  Client client(options_for({server.address()}));
  const auto outcome = client.send_message(hello(), {.timeout = milliseconds(4'000)});
  ASSERT_TRUE(std::holds_alternative<Unknown>(outcome));
  EXPECT_TRUE(base::parse_request_id(std::get<Unknown>(outcome).request_id).has_value());
  EXPECT_GT(attempts.load(), 1);
}

TEST(Client, RefusalWithPositionAfterALostReplyIsFinal) {
  std::atomic<int> attempts = 0;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest&, v1::SendMessageResponse&) {
    return ++attempts == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "reply lost")
                           : refused_status(grpc::StatusCode::NOT_FOUND, "Recipient does not exist.", 9);
  };
  const ScriptedServer server(script);
  Client client(options_for({server.address()}));
  const auto outcome = client.send_message(hello());
  ASSERT_TRUE(std::holds_alternative<Refused>(outcome));
  EXPECT_EQ(std::get<Refused>(outcome).error.message, "Recipient does not exist.");
  EXPECT_EQ(std::get<Refused>(outcome).error.position.value(), 9U);
}

TEST(Client, AWrongClockMakesANewIdByTheServersTime) {
  constexpr std::int64_t kServerTime_ms = 1'800'000'000'000;
  std::vector<std::int64_t> times;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest& request,
                            v1::SendMessageResponse&) {
    times.push_back(base::parse_request_id(request.request_id())->unix_ms());
    if (times.back() >= kServerTime_ms) {
      return grpc::Status::OK;
    }
    v1::ErrorInfo info;
    info.set_reason("REQUEST_ID_AHEAD");
    info.set_outcome(v1::OUTCOME_REFUSED);
    *info.mutable_server_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(kServerTime_ms);
    return error_status(grpc::StatusCode::FAILED_PRECONDITION, "wrong clock", info);
  };
  const ScriptedServer server(script);
  ClientOptions options = options_for({server.address()});
  options.unix_ms = [] { return std::int64_t{1'000}; };
  Client client(std::move(options));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
  }
  EXPECT_THAT(times, ::testing::ElementsAre(1'000, kServerTime_ms, kServerTime_ms));
}

// What lies so far back may have been forgotten; but this id was made a moment ago, and never sent before.
TEST(Client, AClockThatIsDaysBehindMakesANewIdByTheServersTime) {
  constexpr std::int64_t kServerTime_ms = 1'800'000'000'000;
  constexpr std::int64_t kTwoDaysBack_ms = kServerTime_ms - 2 * base::kResultLifetime_ms;
  std::vector<std::int64_t> times;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest& request,
                            v1::SendMessageResponse&) {
    times.push_back(base::parse_request_id(request.request_id())->unix_ms());
    if (times.back() > kServerTime_ms - base::kResultLifetime_ms) {
      return grpc::Status::OK;
    }
    v1::ErrorInfo info;
    info.set_reason("REQUEST_ID_FORGOTTEN");
    info.set_outcome(v1::OUTCOME_UNKNOWN);
    info.set_position(9);
    *info.mutable_server_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(kServerTime_ms);
    return error_status(grpc::StatusCode::FAILED_PRECONDITION, "too old", info);
  };
  const ScriptedServer server(script);
  ClientOptions options = options_for({server.address()});
  options.unix_ms = [] { return kTwoDaysBack_ms; };
  Client client(std::move(options));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
  }
  EXPECT_THAT(times, ::testing::ElementsAre(kTwoDaysBack_ms, kServerTime_ms, kServerTime_ms));

  v1::SendMessageRequest again = hello();
  again.set_request_id(base::to_string(base::make_request_id(kTwoDaysBack_ms, {})));
  const auto outcome = client.send_message(again, {.unknown_before = true});
  ASSERT_TRUE(std::holds_alternative<Unknown>(outcome));
  EXPECT_EQ(std::get<Unknown>(outcome).request_id, again.request_id());
}

TEST(Client, ASilentServerIsLeftForAnother) {
  std::atomic<bool> release = false;
  Script silent;
  silent.send_message = [&](grpc::ServerContext& context, const v1::SendMessageRequest&,
                            v1::SendMessageResponse&) {
    EXPECT_TRUE(testing::wait_until([&] { return context.IsCancelled() || release; }));
    return grpc::Status(grpc::StatusCode::CANCELLED, "");
  };
  Sends sends(0, grpc::Status::OK);
  const ScriptedServer first(silent);
  const ScriptedServer second(sends.script());
  ClientOptions options = options_for({first.address(), second.address()});
  options.attempt_timeout = milliseconds(300);
  Client client(std::move(options));
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
  release = true;
}

TEST(Client, AServerThatComesBackIsFoundAgain) {
  const base::Address address = dead_address();
  Client client(options_for({address}));
  EXPECT_TRUE(std::holds_alternative<Refused>(client.send_message(hello(), {.timeout = milliseconds(300)})));
  Sends sends(0, grpc::Status::OK);
  const ScriptedServer server(sends.script(), address.port);
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
}

TEST(Client, AServerThatStaysDeadDelaysNoCall) {
  Sends sends(0, grpc::Status::OK);
  const ScriptedServer living(sends.script());
  ClientOptions options = options_for({dead_address(), living.address()});
  options.timeout = std::chrono::minutes(30);
  options.connect_timeout = std::chrono::minutes(10);  // a call that waits for it does not end in time
  options.skip = {.first = milliseconds(0), .most = milliseconds(0)};
  Client client(options);
  const auto begin = std::chrono::steady_clock::now();
  for (int call = 0; call < 6; ++call) {
    ASSERT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(hello())));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(5));
}

TEST(Client, StopEndsACall) {
  Client client(options_for({dead_address()}));
  std::stop_source stop;
  const std::jthread stopper([&stop] { stop.request_stop(); });
  const auto outcome = client.send_message(hello(), {.stop = stop.get_token()});
  EXPECT_TRUE(std::holds_alternative<Refused>(outcome));
}

TEST(Client, ReadsAreRepeatedUntilTheyAreAnswered) {
  std::atomic<int> attempts = 0;
  std::string authorization;
  Script script;
  script.get_account = [&](grpc::ServerContext& context, const v1::GetAccountRequest& request,
                           v1::GetAccountResponse& response) {
    if (++attempts < 3) {
      return refused_status(grpc::StatusCode::UNAVAILABLE, "no leader");
    }
    const auto found = context.client_metadata().find("authorization");
    authorization = std::string(found->second.begin(), found->second.end());
    response.mutable_account()->set_name(request.name());
    return grpc::Status::OK;
  };
  const ScriptedServer server(script);
  ClientOptions options = options_for({server.address()});
  options.token = "secret";
  Client client(std::move(options));
  v1::GetAccountRequest request;
  request.set_name("bob");
  const auto answer = client.get_account(request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->account().name(), "bob");
  EXPECT_EQ(authorization, "Bearer secret");
}

TEST(Client, AnotherClusterIsAnError) {
  const auto script_of = [](const std::string& cluster) {
    Script script;
    script.get_account = [cluster](grpc::ServerContext&, const v1::GetAccountRequest&,
                                   v1::GetAccountResponse& response) {
      response.mutable_as_of()->set_cluster_id(cluster);
      return grpc::Status::OK;
    };
    return script;
  };
  const ScriptedServer ours(script_of("aa"));
  const ScriptedServer other(script_of("bb"));
  Client client(options_for({ours.address(), other.address()}));
  ASSERT_TRUE(client.get_account({}).has_value());
  EXPECT_EQ(client.cluster_id(), "aa");
  const auto answer = client.get_account({});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().reason, "OTHER_CLUSTER");
}

// Of this many bytes, with a request_id of its own.
v1::SendMessageRequest request_of_size(std::size_t size_bytes) {
  v1::SendMessageRequest request = hello();
  request.set_request_id("01890a5d-ac96-774b-bcce-b302099a8057");
  request.set_body(std::string(size_bytes, 'x'));
  request.mutable_body()->resize(size_bytes - (request.ByteSizeLong() - size_bytes));
  EXPECT_EQ(request.ByteSizeLong(), size_bytes);
  return request;
}

TEST(Client, WhatNoNodeTakesIsNotSent) {
  Sends sends(0, grpc::Status::OK);
  const ScriptedServer server(sends.script());
  Client client(options_for({server.address()}));
  for (const std::size_t size_bytes : {base::kMaxRequestBytes + 1, 5 * base::kMaxRequestBytes}) {
    const auto request = request_of_size(size_bytes);
    const auto outcome = client.send_message(request);
    const auto* const refused = std::get_if<Refused>(&outcome);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->error.code, base::Code::invalid_argument);
    EXPECT_EQ(refused->error.outcome, base::Outcome::refused);
    EXPECT_EQ(refused->error.reason, "REQUEST_TOO_LARGE");
    EXPECT_THAT(refused->error.message, ::testing::HasSubstr("at most 1048576"));
    EXPECT_THAT(refused->error.limit, ::testing::HasSubstr("1048576"));
    const auto again = client.send_message(request, {.unknown_before = true});
    const auto* const unknown = std::get_if<Unknown>(&again);
    ASSERT_NE(unknown, nullptr) << "what became of the earlier one is still not known";
    EXPECT_EQ(unknown->request_id, request.request_id());
    EXPECT_EQ(unknown->error.outcome, base::Outcome::unknown);
  }
  v1::GetAccountRequest look;
  look.set_name(std::string(base::kMaxRequestBytes, 'x'));
  const auto found = client.get_account(look);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().reason, "REQUEST_TOO_LARGE");
  EXPECT_THAT(sends.ids(), SizeIs(0));
  const auto largest = client.send_message(request_of_size(base::kMaxRequestBytes));
  EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(largest)) << "a node may take it";
  EXPECT_THAT(sends.ids(), SizeIs(1));
}

// gRPC says the same of a request that a server did not take and of an answer that a client does not take: so
// it tells nothing of a write.
TEST(Client, AnErrorOfGrpcAboutASizeIsUnknown) {
  Sends sends(
      100, {grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max (5242880 vs. 4194304)"});
  const ScriptedServer server(sends.script());
  Client client(options_for({server.address()}));
  EXPECT_TRUE(std::holds_alternative<Unknown>(client.send_message(hello())));
}

TEST(Client, LimitsAreToldAsTheServerToldThem) {
  Script script;
  script.mark_read = [](grpc::ServerContext&, const v1::MarkReadRequest&, v1::MarkReadResponse&) {
    v1::ErrorInfo info;
    info.set_reason("TOO_MANY_IDS");
    info.set_outcome(v1::OUTCOME_REFUSED);
    info.set_field("message_ids");
    info.set_limit("1000");
    info.add_message_ids(7);
    info.set_retry_after_ms(3);
    return error_status(grpc::StatusCode::INVALID_ARGUMENT, "at most 1,000 ids", info);
  };
  const ScriptedServer server(script);
  Client client(options_for({server.address()}));
  const auto outcome = client.mark_read({});
  ASSERT_TRUE(std::holds_alternative<Refused>(outcome));
  const base::Error& error = std::get<Refused>(outcome).error;
  EXPECT_EQ(error.code, base::Code::invalid_argument);
  EXPECT_EQ(error.reason, "TOO_MANY_IDS");
  EXPECT_EQ(error.field, "message_ids");
  EXPECT_EQ(error.limit, "1000");
  EXPECT_THAT(error.message_ids, ::testing::ElementsAre(7));
  EXPECT_EQ(error.retry_after_ms, 3U);
}

}  // namespace
}  // namespace parley::client
