// A watch that moves to a different node at each reconnect, while leaders are being killed, shows every
// message once, in order; also at a node that lags behind the watch's position.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "client/watch.h"
#include "tests/process/cluster.h"
#include "tests/process/network.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Seen final : public client::WatchHandler {
 public:
  void on_connected(const std::string& server, std::uint64_t) override {
    const std::scoped_lock lock(mutex_);
    servers_.push_back(server);
  }
  void on_event(const v1::WatchResponse& event) override {
    const std::scoped_lock lock(mutex_);
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
  [[nodiscard]] std::vector<std::string> servers() const {
    const std::scoped_lock lock(mutex_);
    return servers_;
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
    return wait_until([&] { return servers().size() >= count; });
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
  std::vector<std::string> servers_;
  std::vector<std::string> complaints_;
  std::vector<std::string> troubles_;
};

TEST(WatchSuite, MovesFromNodeToNodeThroughTenFailovers) {
  Cluster cluster(5);
  cluster.wait_for_leader();
  Talk talk(cluster, "ann", "bob");
  const auto watcher = cluster.client();
  watcher->set_token(talk.recipient_token());
  Seen seen;
  client::Watch watch(*watcher, {.after_position = 0}, seen);
  ASSERT_TRUE(seen.wait_for_connections(1));
  for (int round = 0; round < 10; ++round) {
    const int leader = cluster.wait_for_leader();
    const std::size_t connections = seen.servers().size();
    // Every other time with a node that was frozen a moment ago, and so lags behind the watch.
    const int lagging = cluster.any_follower(leader);
    if (round % 2 == 1) {
      cluster.freeze(lagging);
      talk.wait_for_more(20);
    }
    cluster.stop(leader, SIGKILL);
    if (round % 2 == 1) {
      cluster.thaw(lagging);
    }
    watch.move();
    EXPECT_TRUE(seen.wait_for_connections(connections + 1));
    talk.wait_for_more(20);
    cluster.start(leader);
  }
  talk.finish();
  ASSERT_FALSE(talk.acknowledged().empty());
  EXPECT_TRUE(seen.wait_for_message(talk.acknowledged().back().id));
  EXPECT_EQ(seen.messages(), talk.acknowledged());
  EXPECT_THAT(seen.complaints(), IsEmpty());
  EXPECT_THAT(talk.complaints(), IsEmpty());
  const auto servers = seen.servers();
  for (std::size_t i = 1; i < servers.size(); ++i) {
    EXPECT_NE(servers[i], servers[i - 1]) << "reconnect " << i;
  }
  EXPECT_GT(std::set<std::string>(servers.begin(), servers.end()).size(), 2U);
  fmt::print("{} messages over {} connections\n", talk.acknowledged().size(), servers.size());
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
    EXPECT_EQ(seen.servers().front(), to_string(cluster.client_address(victim)));
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

TEST(WatchSuite, ANodeThatIsBehindThePositionWaitsForIt) {
  Cluster cluster(5);
  const int leader = cluster.wait_for_leader();
  const int lagging = cluster.any_follower(leader);
  Talk talk(cluster, "ann", "bob");
  talk.wait_for_more(5);
  cluster.freeze(lagging);
  talk.wait_for_more(200);
  talk.finish();
  const auto& sent = talk.acknowledged();
  const std::size_t middle = sent.size() - 3;
  const auto there = cluster.client({lagging});
  there->set_token(talk.recipient_token());
  Seen seen;
  const client::Watch watch(*there, {.after_position = sent[middle].id}, seen);
  cluster.thaw(lagging);
  ASSERT_TRUE(seen.wait_for_message(sent.back().id));
  EXPECT_EQ(seen.messages(),
            std::vector<Acknowledged>(sent.begin() + static_cast<std::ptrdiff_t>(middle) + 1, sent.end()));
  EXPECT_THAT(seen.complaints(), IsEmpty());
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
