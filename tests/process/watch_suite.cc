// A watch that moves to a different node at each reconnect, while leaders are being killed, shows every
// message once, in order; also at a node that lags behind the watch's position.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/watch.h"
#include "parley/v1/api.grpc.pb.h"
#include "tests/process/cluster.h"
#include "tests/process/network.h"
#include "tests/process/node_faults.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Connected {
  std::string server;
  std::uint64_t position = 0;       // where its stream begins
  std::size_t messages_before = 0;  // seen when it began
};

class Seen final : public client::WatchHandler {
 public:
  void on_connected(const std::string& server, std::uint64_t position) override {
    const std::scoped_lock lock(mutex_);
    connections_.push_back({.server = server, .position = position, .messages_before = messages_.size()});
    heartbeats_ = 0;
  }
  void on_event(const v1::WatchResponse& event) override {
    const std::scoped_lock lock(mutex_);
    if (event.has_heartbeat()) {
      ++heartbeats_;
    }
    if (event.has_message()) {
      messages_.push_back({.id = event.message().id(), .body = event.message().body()});
      if (event.position() != event.message().id()) {
        complaints_.push_back(
            fmt::format("message {} at position {}", event.message().id(), event.position()));
      }
    }
  }
  void on_resync() override { complain("resync"); }
  void on_trouble(const std::string&, const base::Error& error) override {
    const std::scoped_lock lock(mutex_);
    troubles_.push_back(error.reason);
  }
  void on_end(const base::Error& error) override { complain("end: " + error.message); }

  [[nodiscard]] std::vector<Acknowledged> messages() const {
    const std::scoped_lock lock(mutex_);
    return messages_;
  }
  [[nodiscard]] std::vector<Connected> connections() const {
    const std::scoped_lock lock(mutex_);
    return connections_;
  }
  // Of the present connection.
  [[nodiscard]] int heartbeats() const {
    const std::scoped_lock lock(mutex_);
    return heartbeats_;
  }
  // How many messages came over this connection, so far or before it was left.
  [[nodiscard]] std::size_t messages_over(std::size_t connection) const {
    const std::scoped_lock lock(mutex_);
    const bool is_left = connection + 1 < connections_.size();
    return (is_left ? connections_[connection + 1].messages_before : messages_.size()) -
           connections_[connection].messages_before;
  }
  [[nodiscard]] std::vector<std::string> complaints() const {
    const std::scoped_lock lock(mutex_);
    return complaints_;
  }
  // The reasons for which nodes were left.
  [[nodiscard]] std::vector<std::string> troubles() const {
    const std::scoped_lock lock(mutex_);
    return troubles_;
  }
  [[nodiscard]] bool wait_for_connections(std::size_t count) const {
    return wait_until([&] { return connections().size() >= count; });
  }
  [[nodiscard]] bool wait_for_messages(std::size_t count) const {
    return wait_until([&] { return messages().size() >= count; }, std::chrono::minutes(2));
  }
  [[nodiscard]] bool wait_for_message(std::uint64_t id) const {
    return wait_until(
        [&] {
          const std::scoped_lock lock(mutex_);
          return !messages_.empty() && messages_.back().id >= id;
        },
        std::chrono::minutes(2));
  }

 private:
  void complain(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    complaints_.push_back(what);
  }
  mutable std::mutex mutex_;
  std::vector<Acknowledged> messages_;
  std::vector<Connected> connections_;
  int heartbeats_ = 0;
  std::vector<std::string> complaints_;
  std::vector<std::string> troubles_;
};

std::uint64_t applied_at(Cluster& cluster, int node) {
  std::optional<v1::GetStatusResponse> status;
  EXPECT_TRUE(wait_until([&] {
    status = cluster.status(node);
    return status.has_value();
  })) << "node "
      << node;
  return status.value_or(v1::GetStatusResponse()).applied_index();
}

// A watch, and five nodes of which one at a time can be made to lag: while its disk stands still it stores
// nothing and so applies nothing, and its clients reach it as before.
class MovingWatch : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.wait_for_leader();
    talk_.emplace(cluster_, "ann", "bob");
    watcher_->set_token(talk_->recipient_token());
    watch_.emplace(*watcher_, client::WatchStart{.after_position = 0}, seen_);
    ASSERT_TRUE(seen_.wait_for_connections(1));
  }

  [[nodiscard]] std::string address(int node) const { return to_string(cluster_.client_address(node)); }
  void set_log_sync(int node, LogSync sync) {
    faults_[static_cast<std::size_t>(node - 1)].set_log_sync(sync);
  }

  // A follower that the watch is not at.
  [[nodiscard]] int elsewhere(int leader) const {
    for (const int node : cluster_.all_but(leader)) {
      if (address(node) != seen_.connections().back().server) {
        return node;
      }
    }
    return 0;
  }

  // False: it did not connect to another node.
  [[nodiscard]] bool move() {
    const std::size_t connections = seen_.connections().size();
    watch_->move();
    return seen_.wait_for_connections(connections + 1);
  }

  // From here on `node` lags, and the watch is ahead of it.
  void make_lag(int node) {
    set_log_sync(node, LogSync::stalls);
    ASSERT_TRUE(wait_until([&] { return faults_[static_cast<std::size_t>(node - 1)].is_stalled(); }));
  }

  // Moves the watch until it is at `node`, which has not applied what the watch has seen; and stays until it
  // was told there more than once that there is nothing, or has left.
  void visit_lagging(int node) {
    // None of these is in a batch that was begun before the disk stood still.
    ASSERT_TRUE(seen_.wait_for_messages(talk_->count() + 3));
    bool is_there = false;
    for (int moves = 0; moves < 20 && !is_there; ++moves) {
      ASSERT_TRUE(move());
      is_there = seen_.connections().back().server == address(node);
    }
    ASSERT_TRUE(is_there) << "the watch has not come to node " << node;
    const auto connections = seen_.connections();
    std::size_t visit = connections.size() - 1;
    while (connections[visit].server != address(node)) {
      --visit;  // left already
    }
    ASSERT_LT(applied_at(cluster_, node), connections[visit].position) << "it is behind the watch";
    EXPECT_TRUE(wait_until(
        [&] { return seen_.heartbeats() >= 2 || seen_.connections().size() > connections.size(); }));
    EXPECT_EQ(seen_.messages_over(visit), 0U) << "all that this node has, the watch has seen";
    ASSERT_LT(applied_at(cluster_, node), connections[visit].position);
  }

  std::vector<NodeFaults> faults_{5};
  Cluster cluster_{with_faults({.nodes = 5}, faults_)};
  std::unique_ptr<client::Client> watcher_ = cluster_.client();
  Seen seen_;
  std::optional<Talk> talk_;
  std::optional<client::Watch> watch_;
};

TEST_F(MovingWatch, MovesFromNodeToNodeThroughTenFailovers) {
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const int leader = cluster_.wait_for_leader();
    int lagging = 0;
    if (round % 2 == 1) {
      // Not where the leader takes it with it: the first that it then came to might be the one that lags.
      ASSERT_TRUE(seen_.connections().back().server != address(leader) || move());
      lagging = elsewhere(leader);
      make_lag(lagging);
    }
    cluster_.stop(leader, SIGKILL);
    if (lagging != 0) {
      visit_lagging(lagging);
      set_log_sync(lagging, LogSync::works);
      if (HasFatalFailure()) {
        return;
      }
    } else {
      EXPECT_TRUE(move());
    }
    // It goes on, there or elsewhere.
    EXPECT_TRUE(seen_.wait_for_messages(talk_->count() + 20));
    cluster_.start(leader);
  }
  talk_->finish();
  ASSERT_FALSE(talk_->acknowledged().empty());
  EXPECT_TRUE(seen_.wait_for_message(talk_->acknowledged().back().id));
  EXPECT_EQ(seen_.messages(), talk_->acknowledged());
  EXPECT_THAT(seen_.complaints(), IsEmpty());
  EXPECT_THAT(talk_->complaints(), IsEmpty());
  const auto connections = seen_.connections();
  std::set<std::string> servers;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    servers.insert(connections[i].server);
    EXPECT_TRUE(i == 0 || connections[i].server != connections[i - 1].server) << "reconnect " << i;
  }
  EXPECT_GT(servers.size(), 2U);
  fmt::print("{} messages over {} connections\n", talk_->acknowledged().size(), connections.size());
}

// Its clients reach it, and it sends them heartbeats: they leave it by what these say.
TEST(WatchSuite, ANodeThatIsCutOffFromTheOthersIsLeft) {
  Network network(3);
  Cluster cluster(network.cluster_options());
  for (const bool leads : {false, true}) {
    const int leader = cluster.wait_for_leader();
    const int victim = leads ? leader : cluster.any_follower(leader);
    Talk talk(cluster, leads ? "ann.2" : "ann.1", leads ? "bob.2" : "bob.1");
    client::ClientOptions options;
    for (const int node : cluster.ids()) {
      options.servers.push_back(cluster.client_address(node));
    }
    options.first_server = static_cast<std::size_t>(victim - 1);
    options.token = talk.recipient_token();
    client::Client watcher(std::move(options));
    Seen seen;
    const client::Watch watch(watcher, {.after_position = 0}, seen);
    ASSERT_TRUE(seen.wait_for_connections(1));
    EXPECT_EQ(seen.connections().front().server, to_string(cluster.client_address(victim)));
    network.cut_from_peers(victim);
    EXPECT_TRUE(seen.wait_for_connections(2));
    EXPECT_THAT(seen.troubles(), ElementsAre("CUT_OFF"));
    talk.wait_for_more(20);
    talk.finish();
    // What was sent on the other side is seen, before this one is back.
    EXPECT_TRUE(seen.wait_for_message(talk.acknowledged().back().id));
    EXPECT_EQ(seen.messages(), talk.acknowledged());
    EXPECT_THAT(seen.complaints(), IsEmpty());
    EXPECT_THAT(talk.complaints(), IsEmpty());
    network.heal_from_peers(victim);
  }
}

// A watch as the node itself tells it: the client library would drop what is old or comes twice.
class NodeStream {
 public:
  NodeStream(const Cluster& cluster, int node, const std::string& token, std::uint64_t after)
      : stub_(v1::MessageService::NewStub(grpc::CreateChannel(to_string(cluster.client_address(node)),
                                                              grpc::InsecureChannelCredentials()))) {
    context_.set_wait_for_ready(true);
    context_.AddMetadata("authorization", "Bearer " + token);
    request_.set_after_position(after);
    thread_ = std::jthread([this] { read(); });
  }
  ~NodeStream() {
    context_.TryCancel();
    thread_.join();
  }
  NodeStream(const NodeStream&) = delete;
  NodeStream& operator=(const NodeStream&) = delete;

  [[nodiscard]] std::vector<v1::WatchResponse> told() const {
    const std::scoped_lock lock(mutex_);
    return told_;
  }

 private:
  void read() {
    const auto reader = stub_->Watch(&context_, request_);
    v1::WatchResponse response;
    while (reader->Read(&response)) {
      const std::scoped_lock lock(mutex_);
      told_.push_back(response);
    }
    [[maybe_unused]] const grpc::Status status = reader->Finish();
  }

  std::unique_ptr<v1::MessageService::Stub> stub_;
  grpc::ClientContext context_;
  v1::WatchRequest request_;
  mutable std::mutex mutex_;
  std::vector<v1::WatchResponse> told_;
  std::jthread thread_;
};

std::vector<Acknowledged> messages_in(const std::vector<v1::WatchResponse>& told) {
  std::vector<Acknowledged> messages;
  for (const v1::WatchResponse& response : told) {
    if (response.has_message()) {
      messages.push_back({.id = response.position(), .body = response.message().body()});
    }
  }
  return messages;
}

TEST(WatchSuite, ANodeThatIsBehindThePositionWaitsForIt) {
  std::vector<NodeFaults> faults(3);
  Cluster cluster(with_faults({.nodes = 3}, faults));
  const int leader = cluster.wait_for_leader();
  const int lagging = cluster.any_follower(leader);
  NodeFaults& fault = faults[static_cast<std::size_t>(lagging - 1)];
  const auto others = cluster.all_but(lagging);
  Talk talk(cluster.client(others), cluster.client(others), "ann", "bob");
  talk.wait_for_more(5);
  // What knows bob's session is there before the disk stands still.
  cluster.wait_until_applied({lagging}, applied_at(cluster, leader));
  fault.set_log_sync(LogSync::stalls);
  ASSERT_TRUE(wait_until([&] { return fault.is_stalled(); }));
  talk.wait_for_more(50);
  talk.finish();
  const auto& sent = talk.acknowledged();
  const std::size_t middle = sent.size() - 4;
  const std::uint64_t after = sent[middle].id;
  const NodeStream stream(cluster, lagging, talk.recipient_token(), after);
  ASSERT_TRUE(wait_until([&] { return stream.told().size() >= 2; }));
  EXPECT_LT(applied_at(cluster, lagging), after) << "it is behind the position";
  for (const v1::WatchResponse& response : stream.told()) {
    EXPECT_TRUE(response.has_heartbeat() && response.position() == after) << response.ShortDebugString();
  }
  fault.set_log_sync(LogSync::works);
  const std::vector<Acknowledged> rest(sent.begin() + static_cast<std::ptrdiff_t>(middle) + 1, sent.end());
  EXPECT_TRUE(wait_until([&] { return messages_in(stream.told()).size() >= rest.size(); }));
  // Two more heartbeats: nothing else comes behind.
  const std::size_t so_far = stream.told().size();
  EXPECT_TRUE(wait_until([&] { return stream.told().size() >= so_far + 2; }));
  EXPECT_EQ(messages_in(stream.told()), rest);
  EXPECT_THAT(talk.complaints(), IsEmpty());
}

TEST(WatchSuite, LoggingOutAnywhereEndsAWatchEverywhere) {
  Cluster cluster(3);
  const int leader = cluster.wait_for_leader();
  const auto here = cluster.client({leader});
  const auto there = cluster.client({cluster.any_follower(leader)});
  const std::string token = sign_up(*here, "ann");
  here->set_token(token);
  there->set_token(token);
  Seen seen;
  const client::Watch watch(*there, {}, seen);
  ASSERT_TRUE(seen.wait_for_connections(1));
  ASSERT_TRUE(std::holds_alternative<client::Done<v1::LogOutResponse>>(here->log_out({})));
  EXPECT_TRUE(wait_until([&] { return !seen.complaints().empty(); }));
  EXPECT_THAT(seen.complaints(), ::testing::ElementsAre(::testing::StartsWith("end: ")));
}

}  // namespace
}  // namespace parley::testing
