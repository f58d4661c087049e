// One replica by itself, on a transport that the test leads by hand: what it says to its peers, and what it
// does with what they say.
#include "node/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <vector>

#include "tests/node/cluster.h"
#include "tests/node/fake_log.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::SizeIs;

constexpr std::size_t kMaxPeerMessages = 4;

// Takes everything, and keeps what is of a kind that the tests ask for.
class HandTransport final : public Transport {
 public:
  void start(Hello hello, PeerHandler& handler) override {
    const std::scoped_lock lock(mutex_);
    hello_ = std::move(hello);
    handler_ = &handler;
  }
  void stop() override {
    const std::scoped_lock lock(mutex_);
    handler_ = nullptr;
  }
  void set_hello(Hello hello) override {
    const std::scoped_lock lock(mutex_);
    hello_ = std::move(hello);
  }
  void set_peers(std::vector<PeerAddresses>) override {}
  [[nodiscard]] bool send(base::NodeId, PeerMessage message) override {
    const std::scoped_lock lock(mutex_);
    if (const auto* write = std::get_if<ForwardWrite>(&message)) {
      forwarded_.push_back(write->forward_id);
    } else if (const auto* reply = std::get_if<ForwardReply>(&message)) {
      replied_.push_back(reply->forward_id);
    }
    return true;
  }
  void flush() override {}

  // Only while the replica lives.
  void say(const raft::Member& from, std::vector<PeerMessage> messages) {
    handler()->on_messages(from, std::move(messages));
  }
  void link_up(const raft::Member& peer) { handler()->on_link_up(peer); }
  [[nodiscard]] Hello hello() const {
    const std::scoped_lock lock(mutex_);
    return hello_;
  }
  [[nodiscard]] std::vector<std::uint64_t> forwarded() const {
    const std::scoped_lock lock(mutex_);
    return forwarded_;
  }
  [[nodiscard]] std::vector<std::uint64_t> replied() const {
    const std::scoped_lock lock(mutex_);
    return replied_;
  }

 private:
  [[nodiscard]] PeerHandler* handler() const {
    const std::scoped_lock lock(mutex_);
    return handler_;
  }

  mutable std::mutex mutex_;
  Hello hello_;
  PeerHandler* handler_ = nullptr;
  std::vector<std::uint64_t> forwarded_;
  std::vector<std::uint64_t> replied_;
};

// Whoever passes it waits while it is closed, and is counted.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return is_open_; });
    --waiting_;
  }
  void set_open(bool is_open) {
    {
      const std::scoped_lock lock(mutex_);
      is_open_ = is_open;
    }
    changed_.notify_all();
  }
  [[nodiscard]] int waiting() const {
    const std::scoped_lock lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = true;
  int waiting_ = 0;
};

class ReplicaTest : public ::testing::Test {
 protected:
  void TearDown() override {
    core_gate_.set_open(true);
    if (replica_) {
      replica_->kill();
    }
  }
  // Node 2 of two, of which the test is the other.
  void start() {
    ReplicaOptions options;
    options.id = base::NodeId(2);
    options.data_folder = folder_.path() + "/2";
    options.founders = {{base::NodeId(1), "a:1"}, {base::NodeId(2), "b:1"}};
    options.peer_address = "b:1";
    options.log.segment_size_bytes = 256UL * 1024;
    options.limits.max_peer_messages = kMaxPeerMessages;
    options.limits.no_leader_answer = std::chrono::minutes(1);  // a busy machine is no bug
    // The core thread asks for it with every tick: the one place where a test can hold that thread.
    options.wall_clock = [this] {
      core_gate_.pass();
      return unix_ms();
    };
    transport_ = std::make_unique<HandTransport>();
    auto opened = Replica::open(std::move(options), *files_, *transport_);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    replica_ = std::move(*opened);
  }
  void kill() {
    replica_->kill();
    replica_.reset();
  }
  // The test's node founds the cluster and leads it.
  void follow() {
    raft::Founding founding;
    founding.configuration.voters = {leader_, transport_->hello().self};
    founding.cluster_id.bytes.fill(7);
    founding.state_seed = std::string(32, 's');
    transport_->link_up(leader_);
    transport_->say(leader_, {FoundingOffer{founding}});
    ASSERT_TRUE(wait_until([&] { return replica_->token_key().has_value(); })) << "it has stored entry 1";
    ASSERT_TRUE(wait_until([&] {
      beat();
      return replica_->status().leader == leader_.id;
    }));
  }
  void beat() {
    transport_->say(
        leader_, {RaftMessage{.message = {.from = leader_,
                                          .to = transport_->hello().self,
                                          .term = raft::Term(1'000'000),  // beyond any that it campaigned in
                                          .body = raft::HeartbeatRequest{.commit = {}, .round = 0}}}});
  }
  // The id that the first write of a client of this life is forwarded under.
  [[nodiscard]] std::uint64_t first_forward_id() {
    replica_->write(chat::Tick{}, std::chrono::steady_clock::now() + std::chrono::minutes(1),
                    [](const base::Result<chat::CommandResult>&) {});
    EXPECT_TRUE(wait_until([&] {
      beat();
      return !transport_->forwarded().empty();
    }));
    const auto forwarded = transport_->forwarded();
    return forwarded.empty() ? 0 : forwarded.front();
  }
  [[nodiscard]] static PeerMessage forward(std::uint64_t id) {
    return ForwardWrite{
        .forward_id = id, .deadline_ms = 60'000, .command = base::Payload(chat::encode(chat::Tick{}))};
  }

  TemporaryFolder folder_;
  std::unique_ptr<wal::FileSystem> files_ = wal::make_posix_file_system();
  Gate core_gate_;
  const raft::Member leader_ = member(1);
  std::unique_ptr<HandTransport> transport_;
  std::unique_ptr<Replica> replica_;
};

// 1. A node forwards a write, dies and comes back. 2. Were the ids of its lives the same, the answer to the
// first write would be told to another client.
TEST_F(ReplicaTest, EveryLifeForwardsUnderIdsOfItsOwn) {
  constexpr std::uint64_t kSmall = 1ULL << 32;  // which a random one is once in two thousand million starts
  std::set<std::uint64_t> first_ids;
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(follow());
  first_ids.insert(first_forward_id());
  kill();
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(wait_until([&] {
    beat();
    return replica_->status().leader == leader_.id;
  }));
  first_ids.insert(first_forward_id());
  EXPECT_THAT(first_ids, SizeIs(2));
  EXPECT_GE(*first_ids.begin(), kSmall);
}

// The core thread stands still. What peers say beyond the bound is dropped; they say it again, and the node
// goes on.
TEST_F(ReplicaTest, PeersMessagesBeyondTheirBoundAreDroppedAndTheNodeGoesOn) {
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_NO_FATAL_FAILURE(follow());
  core_gate_.set_open(false);
  ASSERT_TRUE(wait_until([&] { return core_gate_.waiting() > 0; }));
  // What came before may still hold places: that, too, is bounded.
  for (std::uint64_t id = 1; id <= 10 * kMaxPeerMessages; ++id) {
    transport_->say(leader_, {forward(id)});
  }
  core_gate_.set_open(true);
  // It does not lead, and says so to each that it has heard.
  ASSERT_TRUE(wait_until([&] {
    transport_->say(leader_, {forward(1'000)});
    const auto replied = transport_->replied();
    return std::ranges::find(replied, 1'000U) != replied.end();
  }));
  auto heard = transport_->replied();
  std::erase(heard, 1'000U);
  EXPECT_LE(heard.size(), kMaxPeerMessages);
  EXPECT_TRUE(std::ranges::is_sorted(heard)) << "the last were dropped, and nothing changed places";
  // Said again, what was dropped is heard.
  for (std::uint64_t id = 1; id <= 10 * kMaxPeerMessages; ++id) {
    EXPECT_TRUE(wait_until([&] {
      transport_->say(leader_, {forward(id)});
      const auto replied = transport_->replied();
      return std::ranges::find(replied, id) != replied.end();
    })) << id;
  }
}

}  // namespace
}  // namespace parley::node::testing
