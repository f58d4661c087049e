// A list of servers in which some are no use: a port that takes no clients' calls, a node of another cluster.
#include "client/strangers.h"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "client/client.h"
#include "client/watch.h"
#include "tests/client/scripted_server.h"
#include "tests/support/wait_until.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using testing::dead_address;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::refused_status;
using testing::Script;
using testing::ScriptedServer;
using ::testing::SizeIs;

// Speaks gRPC, and has none of the methods that the tests call, as a peer port.
class PeerPort {
 public:
  PeerPort() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&other_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    server_ = builder.BuildAndStart();
  }
  ~PeerPort() { server_->Shutdown(std::chrono::system_clock::now()); }
  PeerPort(const PeerPort&) = delete;
  PeerPort& operator=(const PeerPort&) = delete;

  [[nodiscard]] base::Address address() const { return {"127.0.0.1", static_cast<std::uint16_t>(port_)}; }

 private:
  v1::ClusterService::Service other_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// Answers everything in the same way, and remembers the request ids that it was sent.
class SameAnswer {
 public:
  explicit SameAnswer(grpc::Status status) : status_(std::move(status)) {}

  [[nodiscard]] Script script() {
    Script script;
    script.send_message = [this](grpc::ServerContext&, const v1::SendMessageRequest& request,
                                 v1::SendMessageResponse&) {
      const std::scoped_lock lock(mutex_);
      ids_.push_back(request.request_id());
      return status_;
    };
    script.get_account = [this](grpc::ServerContext&, const v1::GetAccountRequest&, v1::GetAccountResponse&) {
      ++reads_;
      return status_;
    };
    script.watch = [this](grpc::ServerContext& context, const v1::WatchRequest&,
                          grpc::ServerWriter<v1::WatchResponse>& writer) {
      if (!status_.ok()) {
        return status_;
      }
      v1::WatchResponse response;
      response.set_position(7);
      response.mutable_heartbeat()->set_writable(true);
      writer.Write(response);
      EXPECT_TRUE(testing::wait_until([&] { return context.IsCancelled(); }));
      return grpc::Status(grpc::StatusCode::CANCELLED, "");
    };
    return script;
  }
  [[nodiscard]] std::vector<std::string> ids() const {
    const std::scoped_lock lock(mutex_);
    return ids_;
  }
  [[nodiscard]] int reads() const { return reads_; }

 private:
  const grpc::Status status_;
  std::atomic<int> reads_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;
};

grpc::Status of_another_cluster() {
  v1::ErrorInfo info;
  info.set_reason("TOKEN_MALFORMED");
  info.set_outcome(v1::OUTCOME_REFUSED);
  return testing::error_status(grpc::StatusCode::UNAUTHENTICATED,
                               "The token is not one of this cluster; log in again.", info);
}

// The first server is asked first, and every call asks anew.
ClientOptions options_of_list(std::vector<base::Address> servers) {
  ClientOptions options;
  options.servers = std::move(servers);
  options.token = "of-our-cluster";
  options.timeout = seconds(600);  // longer than a test may take
  // Attempts are counted: a slow machine makes no further ones.
  options.connect_timeout = options.attempt_timeout = options.keepalive_interval = seconds(20);
  options.first_server = 0;
  options.skip = {.first = milliseconds(0), .most = milliseconds(0)};
  return options;
}

v1::SendMessageRequest note_to_bob() {
  v1::SendMessageRequest request;
  request.set_recipient("bob");
  request.set_body("hello");
  return request;
}

// The error of a write that is known not to have happened.
base::Error error_of_refused(const WriteOutcome<v1::SendMessageResponse>& outcome) {
  const auto* const refused = std::get_if<Refused>(&outcome);
  EXPECT_NE(refused, nullptr) << "index " << outcome.index();
  return refused == nullptr ? base::Error{} : refused->error;
}

// Ends a call once so many attempts have failed.
class StopAfter {
 public:
  explicit StopAfter(int attempts) : attempts_(attempts) {}
  [[nodiscard]] CallOptions call() {
    return {.stop = stop_.get_token(), .on_retry = [this](const Retry& retry) {
              if (retry.attempts >= attempts_) {
                stop_.request_stop();
              }
            }};
  }

 private:
  const int attempts_;
  std::stop_source stop_;
};

TEST(Strangers, APeerPortIsLeftForANodeWithTheSameRequestId) {
  SameAnswer node(grpc::Status::OK);
  const PeerPort peer;
  const ScriptedServer server(node.script());
  for (int attempt = 0; attempt < 4; ++attempt) {
    Client client(options_of_list({peer.address(), server.address()}));
    std::vector<Retry> retries;
    auto request = note_to_bob();
    request.set_request_id("01890a5d-ac96-774c-bcce-b302099a8057");
    const auto outcome =
        client.send_message(request, {.on_retry = [&](const Retry& retry) { retries.push_back(retry); }});
    EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(outcome));
    ASSERT_THAT(retries, SizeIs(1));
    EXPECT_EQ(retries[0].error.outcome, base::Outcome::refused) << "nothing happened there";
    EXPECT_TRUE(client.get_account({}).has_value());
  }
  EXPECT_THAT(node.ids(), AllOf(SizeIs(4), Each("01890a5d-ac96-774c-bcce-b302099a8057")));
}

TEST(Strangers, PeerPortsAloneAreNamedAndNothingHappened) {
  const PeerPort first;
  const PeerPort second;
  Client client(options_of_list({first.address(), second.address()}));
  const base::Error error = error_of_refused(client.send_message(note_to_bob()));
  EXPECT_EQ(error.reason, kNoClientPort);
  EXPECT_EQ(error.outcome, base::Outcome::refused);
  EXPECT_THAT(error.message, HasSubstr(base::to_string(first.address()) + " does not take clients' calls"));
  const auto answer = client.get_account({});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().reason, kNoClientPort);
}

TEST(Strangers, APeerPortNeverTurnsUnknownIntoRefused) {
  SameAnswer lost({grpc::StatusCode::UNAVAILABLE, "the reply was lost"});
  const ScriptedServer server(lost.script());
  const PeerPort peer;
  Client client(options_of_list({server.address(), peer.address()}));
  StopAfter two(2);
  const auto outcome = client.send_message(note_to_bob(), two.call());
  const auto* const unknown = std::get_if<Unknown>(&outcome);
  ASSERT_NE(unknown, nullptr);
  EXPECT_EQ(unknown->error.message, "the reply was lost");
  EXPECT_THAT(lost.ids(), ElementsAre(unknown->request_id));
}

// gRPC on this side says UNIMPLEMENTED of it, too; but the node has done what it was asked.
TEST(Strangers, AnAnswerThatCannotBeReadIsNoPeerPort) {
  Script script;
  script.send_message = [](grpc::ServerContext&, const v1::SendMessageRequest&,
                           v1::SendMessageResponse& response) {
    response.mutable_message()->set_body("no text \xff");
    return grpc::Status::OK;
  };
  const ScriptedServer server(script);
  Client client(options_of_list({server.address()}));
  EXPECT_TRUE(std::holds_alternative<Unknown>(client.send_message(note_to_bob())));
}

TEST(Strangers, AMethodThatANodeDoesNotOfferIsItsFinalWord) {
  SameAnswer first(refused_status(grpc::StatusCode::UNIMPLEMENTED, ""));
  SameAnswer second(grpc::Status::OK);
  const ScriptedServer here(first.script());
  const ScriptedServer there(second.script());
  Client client(options_of_list({here.address(), there.address()}));
  EXPECT_EQ(error_of_refused(client.send_message(note_to_bob())).reason, "SCRIPTED");
  EXPECT_THAT(second.ids(), SizeIs(0));
}

TEST(Strangers, ANodeOfAnotherClusterIsLeftForOneOfOurs) {
  SameAnswer other(of_another_cluster());
  SameAnswer ours(grpc::Status::OK);
  const ScriptedServer first(other.script());
  const ScriptedServer second(ours.script());
  for (int attempt = 0; attempt < 4; ++attempt) {
    Client client(options_of_list({first.address(), second.address()}));
    EXPECT_TRUE(std::holds_alternative<Done<v1::SendMessageResponse>>(client.send_message(note_to_bob())));
    EXPECT_TRUE(client.get_account({}).has_value());
  }
  EXPECT_THAT(other.ids(), SizeIs(4));
  EXPECT_EQ(other.reads(), 4);
}

TEST(Strangers, WhatAllOfThemSayIsTheAnswerAndANodesWordsCountMore) {
  SameAnswer other(of_another_cluster());
  const ScriptedServer first(other.script());
  const ScriptedServer second(other.script());
  const PeerPort peer;
  Client client(options_of_list({first.address(), second.address(), peer.address()}));
  const CallOptions call{.nobody_after = milliseconds(0)};
  const base::Error error = error_of_refused(client.send_message(note_to_bob(), call));
  EXPECT_EQ(error.code, base::Code::unauthenticated);
  EXPECT_EQ(error.reason, "TOKEN_MALFORMED");
  EXPECT_THAT(other.ids(), SizeIs(2)) << "each was asked once";
  const auto answer = client.get_account({}, call);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().reason, "TOKEN_MALFORMED");
  EXPECT_EQ(other.reads(), 2);
}

// Ours may come back, so it is not said that the token is none.
TEST(Strangers, WhereOurNodeIsDeadThatIsToldFirst) {
  SameAnswer other(of_another_cluster());
  const ScriptedServer first(other.script());
  const base::Address dead = dead_address();
  const PeerPort peer;
  Client client(options_of_list({first.address(), dead, peer.address()}));
  const CallOptions call{.nobody_after = milliseconds(0)};
  const base::Error error = error_of_refused(client.send_message(note_to_bob(), call));
  EXPECT_EQ(error.code, base::Code::unavailable);
  EXPECT_EQ(error.reason, "NO_CONNECTION");
  EXPECT_THAT(error.message, HasSubstr(base::to_string(dead)));
  EXPECT_THAT(error.message, HasSubstr(base::to_string(first.address()) + " says: The token is not one"));
  EXPECT_THAT(error.message, HasSubstr(base::to_string(peer.address()) + " does not take clients' calls"));
}

TEST(Strangers, WhatOurOwnNodeSaysIsToldWhicheverIsAskedLast) {
  SameAnswer other(of_another_cluster());
  SameAnswer ours(refused_status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much to do"));
  const ScriptedServer first(other.script());
  const ScriptedServer second(ours.script());
  for (const int attempts : {2, 3}) {
    Client client(options_of_list({first.address(), second.address()}));
    StopAfter write(attempts);
    EXPECT_EQ(error_of_refused(client.send_message(note_to_bob(), write.call())).message, "too much to do");
  }
  for (const int attempts : {2, 3}) {
    Client client(options_of_list({first.address(), second.address()}));
    StopAfter read(attempts);
    const auto answer = client.get_account({}, read.call());
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().message, "too much to do");
  }
}

// Its last words, and where it was connected.
class WatchedWords final : public WatchHandler {
 public:
  void on_connected(const std::string& server, std::uint64_t) override { say("connected " + server); }
  void on_event(const v1::WatchResponse&) override {}
  void on_resync() override {}
  void on_trouble(const std::string&, const base::Error& error) override { say("trouble " + error.reason); }
  void on_end(const base::Error& error) override { say("end " + error.reason); }

  std::vector<std::string> wait_for(const std::string& last) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::minutes(1), [&] {
      return !words_.empty() && words_.back() == last;
    })) << last;
    return words_;
  }

 private:
  void say(std::string word) {
    const std::scoped_lock lock(mutex_);
    words_.push_back(std::move(word));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> words_;
};

TEST(Strangers, AWatchLeavesThemForANodeOfOurs) {
  SameAnswer other(of_another_cluster());
  SameAnswer ours(grpc::Status::OK);
  const PeerPort peer;
  const ScriptedServer first(other.script());
  const ScriptedServer second(ours.script());
  Client client(options_of_list({peer.address(), first.address(), second.address()}));
  WatchedWords words;
  const Watch watch(client, {}, words);
  const std::string connected = "connected " + base::to_string(second.address());
  EXPECT_THAT(words.wait_for(connected),
              ElementsAre("trouble NO_CLIENT_PORT", "trouble TOKEN_MALFORMED", connected));
}

TEST(Strangers, AWatchEndsWhereTheyAreAll) {
  SameAnswer other(of_another_cluster());
  const PeerPort peer;
  const ScriptedServer first(other.script());
  Client client(options_of_list({first.address(), peer.address()}));
  WatchedWords words;
  const Watch watch(client, {}, words);
  EXPECT_THAT(words.wait_for("end TOKEN_MALFORMED"),
              ElementsAre("trouble TOKEN_MALFORMED", "end TOKEN_MALFORMED"));
}

}  // namespace
}  // namespace parley::client
