// CoreLoop by hand: its events one by one, a world that does as the test says, no thread and no clock.
#include "node/core_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/stamped_entry.h"
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
    if (!disk_has_room) {
      ++refused;
      return false;
    }
    last_batch = batch.number;
    stored.push_back(std::move(batch));
    return true;
  }
  [[nodiscard]] bool fetch(raft::FetchRequest& /*request*/) override { return true; }
  [[nodiscard]] bool serve_call(const raft::Member&, ForwardCall&) override { return false; }
  [[nodiscard]] bool apply(ApplyBatch& batch) override {
    if (!apply_has_room) {
      ++refused;
      return false;
    }
    for (ApplyItem& item : batch.items) {
      applied.push_back(std::move(item));
    }
    for (ReadyReads& ready : batch.ready) {
      answered_reads += ready.reads.size();
    }
    return true;
  }
  void founded(const raft::Founding& /*founding*/) override { is_founded = true; }
  void set_peers(std::vector<PeerAddresses> /*peers*/) override {}
  void ask_nodes() override {}
  void publish(NodeStatus /*status*/, std::int64_t /*wall_unix_ms*/, SteadyTime /*at*/) override {}
  [[nodiscard]] std::int64_t wall_unix_ms() override { return 1'700'000'000'000; }
  [[nodiscard]] BootTime boot_time() override { return BootTime(std::chrono::hours(2)); }
  [[nodiscard]] FoundingSecrets make_secrets() override {
    base::ClusterId cluster_id;
    cluster_id.bytes.fill(7);
    return {.cluster_id = cluster_id, .state_seed = std::string(32, 's')};
  }

  bool has_links = false;
  bool is_founded = false;
  bool disk_has_room = true;
  bool apply_has_room = true;
  int refused = 0;
  std::uint64_t last_batch = 0;
  std::vector<raft::StorageBatch> stored;
  std::vector<ApplyItem> applied;
  std::size_t answered_reads = 0;
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

// A cluster of this node alone, whose disk stores what it takes between two turns.
class FullQueuesOfACoreLoop : public ::testing::Test {
 protected:
  explicit FullQueuesOfACoreLoop(const raft::FlowConfig& flow = {}) : flow_(flow) {
    for (int i = 0; i < 10; ++i) {
      turn();
    }
    before_ = ports_.applied.size();
  }
  // Each turn ticks, and hears what has been stored.
  void turn(std::deque<CoreEvent> events = {}) {
    now_ += std::chrono::milliseconds(20);
    if (told_ != ports_.last_batch) {
      told_ = ports_.last_batch;
      events.emplace_front(Persisted{told_});
    }
    loop_.turn(std::move(events), now_);
  }
  void write(std::chrono::minutes time = std::chrono::minutes(1)) {
    auto write = std::make_unique<PendingWrite>();
    write->command = base::Payload(chat::encode(chat::Tick{}));
    write->deadline = now_ + time;
    write->done = [](const base::Result<chat::CommandResult>&) { ADD_FAILURE() << "applying answers it"; };
    std::deque<CoreEvent> events;
    events.emplace_back(std::move(write));
    turn(std::move(events));
  }
  void read() {
    std::deque<CoreEvent> events;
    events.emplace_back(PendingRead{
        .mode = ReadMode::linearizable,
        .deadline = now_ + std::chrono::minutes(1),
        .done = [](base::Result<chat::Reader*>, const AsOf&) { ADD_FAILURE() << "a reader answers it"; },
        .place = {}});
    turn(std::move(events));
  }
  // All of them, each with its writer, in order and without a gap.
  void expect_applied_since(std::size_t writes) {
    ASSERT_EQ(ports_.applied.size(), before_ + writes);
    for (std::size_t i = 0; i < ports_.applied.size(); ++i) {
      EXPECT_EQ(ports_.applied[i].entry.index, base::Position(i + 1));
      EXPECT_EQ(std::holds_alternative<PendingWritePtr>(ports_.applied[i].writer), i >= before_) << i;
    }
  }

  static constexpr std::size_t kWrites = 3;  // fewer turns than a stalled disk is given

  const raft::FlowConfig flow_;
  SteadyTime now_{std::chrono::hours(1)};
  FakePorts ports_;
  std::uint64_t told_ = 0;
  std::size_t before_ = 0;
  const std::vector<ListedNode> alone_{{base::NodeId(1), "a:1"}};
  Admission admission_{member(1), alone_, {}, {}};
  ApplyProgress progress_;
  CoreLoop loop_{raft::Core({.self = member(1), .flow = flow_, .seed = 1}, {}, {}),
                 std::nullopt,
                 {},
                 {.listed = alone_, .addresses = {}, .writes = {}, .reads = {}},
                 ports_,
                 admission_,
                 progress_,
                 std::make_shared<Places>(10),
                 now_};
};

TEST_F(FullQueuesOfACoreLoop, WhatTheDiskHasNoRoomForIsOfferedAgainInOrder) {
  ASSERT_GT(before_, 0U) << "it leads";
  ports_.disk_has_room = false;
  for (std::size_t i = 0; i < kWrites; ++i) {
    write();
  }
  turn();
  EXPECT_GT(ports_.refused, 0);
  EXPECT_EQ(ports_.applied.size(), before_) << "applied, and not in this node's own log";
  ports_.disk_has_room = true;
  turn();
  turn();
  turn();
  expect_applied_since(kWrites);
  std::uint64_t before = 0;
  std::uint64_t entries = 0;
  for (const raft::StorageBatch& batch : ports_.stored) {
    EXPECT_EQ(batch.number, before + 1) << "none left out, none twice";
    before = batch.number;
    entries += batch.entries.size();
  }
  EXPECT_EQ(entries, ports_.applied.size());
}

TEST_F(FullQueuesOfACoreLoop, WhatTheApplyThreadHasNoRoomForIsOfferedAgainInOrder) {
  ASSERT_GT(before_, 0U) << "it leads";
  ports_.apply_has_room = false;
  for (std::size_t i = 0; i < kWrites; ++i) {
    write();
    read();
  }
  turn();
  EXPECT_GT(ports_.refused, 0);
  EXPECT_EQ(ports_.applied.size(), before_);
  EXPECT_EQ(ports_.answered_reads, 0U);
  ports_.apply_has_room = true;
  turn();
  turn();
  expect_applied_since(kWrites);
  EXPECT_EQ(ports_.answered_reads, kWrites);
  write();
  turn();
  turn();
  expect_applied_since(kWrites + 1);
}

// J16: none lives for ever. Cluster time that no entry has kept is lost with the leader, and in a quiet
// cluster nothing but this makes entries.
TEST_F(FullQueuesOfACoreLoop, TimeThatPassesQuietlyIsKeptInTheLogWhileSomethingIsToExpire) {
  ASSERT_GT(before_, 0U) << "it leads";
  now_ += std::chrono::hours(3);
  for (int i = 0; i < 5; ++i) {
    turn();
  }
  EXPECT_EQ(ports_.applied.size(), before_) << "nothing is ever to expire";
  progress_.next_expiry_ms = std::int64_t{30} * 24 * 3600 * 1000;
  const auto last_stamp = [this] {
    return read_stamped_entry(ports_.applied.back().entry.data.view())->stamp;
  };
  std::int64_t kept_ms = 0;
  for (std::size_t hours = 1; hours <= 3; ++hours) {
    for (int i = 0; i < 5; ++i) {
      turn();
    }
    EXPECT_EQ(ports_.applied.size(), before_ + hours) << "one, and not one with every turn";
    progress_.applied = ports_.applied.size();
    EXPECT_GE(last_stamp().cluster_time_ms, kept_ms + std::int64_t{3600} * 1000);
    kept_ms = last_stamp().cluster_time_ms;
    now_ += std::chrono::minutes(59);
    turn();
    EXPECT_EQ(ports_.applied.size(), before_ + hours) << "less than an hour";
    now_ += std::chrono::minutes(1);
  }
}

// Its log takes no entry while another waits for the disk.
class ACoreLoopOfOneEntryAtATime : public FullQueuesOfACoreLoop {
 protected:
  ACoreLoopOfOneEntryAtATime() : FullQueuesOfACoreLoop({.max_uncommitted_bytes = 1}) {}
};

// J16: one that was refused has kept no time, and the next would come an hour later.
TEST_F(ACoreLoopOfOneEntryAtATime, ATickThatWasRefusedIsProposedAgain) {
  ASSERT_GT(before_, 0U) << "it leads";
  progress_.next_expiry_ms = std::int64_t{30} * 24 * 3600 * 1000;
  ports_.disk_has_room = false;
  write(std::chrono::hours(10));
  now_ += std::chrono::hours(2);
  turn();
  ports_.disk_has_room = true;
  for (int i = 0; i < 5; ++i) {
    turn();
  }
  ASSERT_EQ(ports_.applied.size(), before_ + 2) << "the write, and the Tick that was due meanwhile";
  const auto stamped = read_stamped_entry(ports_.applied.back().entry.data.view());
  ASSERT_TRUE(stamped.has_value());
  EXPECT_GE(stamped->stamp.cluster_time_ms, std::int64_t{2} * 3600 * 1000);
}

}  // namespace
}  // namespace parley::node::testing
