// CoreLoop by hand: its events one by one, a world that does as the test says, no thread and no clock.
#include "node/core_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

// Keeps what it is given; what is sent to a peer without a link is gone.
class FakePorts final : public CorePorts {
 public:
  [[nodiscard]] bool send(base::NodeId to, PeerMessage message) override {
    if (!has_links) {
      return false;
    }
    if (std::holds_alternative<FoundingOffer>(message)) {
      offered.push_back(to);
    }
    return true;
  }
  void flush() override {}
  [[nodiscard]] bool store(raft::StorageBatch& batch) override {
    last_batch = batch.number;
    return true;
  }
  [[nodiscard]] bool fetch(raft::FetchRequest& /*request*/) override { return true; }
  [[nodiscard]] bool serve_call(const raft::Member&, ForwardCall&) override { return false; }
  [[nodiscard]] bool apply(ApplyBatch& /*batch*/) override { return true; }
  void founded(const raft::Founding& /*founding*/) override { is_founded = true; }
  void set_peers(std::vector<PeerAddresses> /*peers*/) override {}
  void ask_nodes() override {}
  void publish(NodeStatus /*status*/, std::int64_t /*wall_unix_ms*/, SteadyTime /*at*/) override {}
  [[nodiscard]] std::int64_t wall_unix_ms() override { return 1'700'000'000'000; }
  [[nodiscard]] FoundingSecrets make_secrets() override {
    base::ClusterId cluster_id;
    cluster_id.bytes.fill(7);
    return {.cluster_id = cluster_id, .state_seed = std::string(32, 's')};
  }

  bool has_links = false;
  bool is_founded = false;
  std::uint64_t last_batch = 0;
  std::vector<base::NodeId> offered;
};

class CoreLoopTest : public ::testing::Test {
 protected:
  [[nodiscard]] static std::vector<ListedNode> list() {
    return {{base::NodeId(1), "a:1"}, {base::NodeId(2), "b:1"}, {base::NodeId(3), "c:1"}};
  }
  [[nodiscard]] static CoreEvent hello_of(std::uint32_t id) {
    return HelloHeard{
        .hello = {.cluster_id = {}, .self = member(id), .peer_address = "x:1", .founders = list()},
        .is_admitted = true};
  }
  void turn(std::deque<CoreEvent> events = {}) {
    now_ += std::chrono::milliseconds(20);  // each turn ticks
    loop_.turn(std::move(events), now_);
  }
  void found_cluster() {
    std::deque<CoreEvent> heard;
    heard.push_back(hello_of(2));
    heard.push_back(hello_of(3));
    turn(std::move(heard));
    ASSERT_NE(ports_.last_batch, 0U) << "entry 1 is to be stored";
    std::deque<CoreEvent> stored;
    stored.emplace_back(Persisted{ports_.last_batch});
    turn(std::move(stored));
    ASSERT_TRUE(ports_.is_founded);
  }

  SteadyTime now_{std::chrono::hours(1)};
  FakePorts ports_;
  Admission admission_{member(1), list(), {}, {}};
  ApplyProgress progress_;
  CoreLoop loop_{raft::Core({.self = member(1), .seed = 1}, {}, {}),
                 std::nullopt,
                 {},
                 {.listed = list(), .addresses = {}, .writes = {}, .reads = {}},
                 ports_,
                 admission_,
                 progress_,
                 std::make_shared<Places>(10),
                 now_};
};

// A peer's Hello, its only one, is heard just before the link to it takes messages. Under load the founder's
// next step came in between, the offer was dropped, and a cluster without leader waited for ever.
TEST_F(CoreLoopTest, EntryOneIsOfferedUntilALinkTakesIt) {
  found_cluster();
  turn();
  turn();
  ASSERT_THAT(ports_.offered, IsEmpty());
  ports_.has_links = true;
  turn();
  EXPECT_THAT(ports_.offered, Contains(base::NodeId(2)));
  EXPECT_THAT(ports_.offered, Contains(base::NodeId(3)));
  const auto once = ports_.offered;
  turn();
  EXPECT_EQ(ports_.offered, once);
}

}  // namespace
}  // namespace parley::node::testing
