// Watches: no gap and no repeat, whichever node serves them and whatever happens to it (design.md, Watch).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "node/event_ring.h"
#include "node/watch_hub.h"
#include "tests/node/cluster.h"
#include "tests/node/collector.h"
#include "tests/node/load.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WatchTest : public ::testing::Test {
 protected:
  void begin(std::uint32_t size, TestCluster::Adjust adjust = {}) {
    cluster_ = std::make_unique<TestCluster>(size, std::move(adjust));
    cluster_->use_stalling_disks();
    cluster_->start_all();
    static_cast<void>(cluster_->wait_for_leader());
    anna_ = cluster_->make_user(1, "anna");
    bob_ = cluster_->make_user(1, "bob");
    cluster_->wait_until_equal();
  }
  void send(std::uint32_t through, const std::string& body) {
    const auto sent = cluster_->write_until_known(through, cluster_->message(anna_, bob_, body));
    ASSERT_TRUE(sent && sent->verdict == chat::Verdict::done);
  }

  std::unique_ptr<TestCluster> cluster_;
  TestUser anna_;
  TestUser bob_;
};

TEST_F(WatchTest, BeginsWithAHeartbeatAndGivesWhatComes) {
  begin(1);
  send(1, "before");
  auto sink = std::make_shared<Collector>();
  const auto watch = cluster_->node(1).watch(start_of(bob_), sink);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() >= 1; }));
  send(1, "one");
  send(1, "two");
  EXPECT_TRUE(wait_until([&] { return sink->count() == 2; }));
  EXPECT_THAT(sink->bodies(), ElementsAre("one", "two"));
}

TEST_F(WatchTest, HeartbeatsComeWhileNothingHappens) {
  begin(1, [](ReplicaOptions& options) { options.limits.watch.heartbeat = std::chrono::milliseconds(50); });
  auto sink = std::make_shared<Collector>();
  const auto watch = cluster_->node(1).watch(start_of(bob_), sink);
  EXPECT_TRUE(wait_until([&] { return sink->heartbeats() >= 4; }));
}

TEST_F(WatchTest, NoCallComesAfterTheSubscriptionIsGone) {
  begin(1, [](ReplicaOptions& options) { options.limits.watch.heartbeat = std::chrono::milliseconds(20); });
  auto gone = std::make_shared<Collector>();
  auto stays = std::make_shared<Collector>();
  auto watch = cluster_->node(1).watch(start_of(bob_), gone);
  const auto other = cluster_->node(1).watch(start_of(bob_), stays);
  ASSERT_TRUE(wait_until([&] { return gone->heartbeats() > 0 && stays->heartbeats() > 0; }));
  watch.reset();
  const int heartbeats = gone->heartbeats();
  send(1, "unseen");
  ASSERT_TRUE(wait_until([&] { return stays->count() == 1; }));
  EXPECT_EQ(gone->count(), 0U);
  EXPECT_EQ(gone->heartbeats(), heartbeats);
}

// However long it takes until the hub lets go of what it keeps of them.
TEST_F(WatchTest, AClosedWatchLeavesItsPlaceAtOnce) {
  begin(1, [](ReplicaOptions& options) {
    options.limits.watch.max_watches = 4;
    options.limits.watch.heartbeat = std::chrono::minutes(10);
  });
  for (int i = 0; i < 50; ++i) {
    auto sink = std::make_shared<Collector>();
    const auto watch = cluster_->node(1).watch(start_of(bob_), sink);
    ASSERT_FALSE(sink->end()) << "watch " << i;
    ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
  }
}

TEST_F(WatchTest, AWatchThatHasEndedLeavesItsPlaceThoughItsSubscriptionStays) {
  begin(1, [](ReplicaOptions& options) {
    options.limits.watch.max_watches = 1;
    options.limits.watch.heartbeat = std::chrono::minutes(10);
  });
  auto ended = std::make_shared<Collector>();
  const auto first = cluster_->node(1).watch(start_of(bob_), ended);
  ASSERT_TRUE(wait_until([&] { return ended->heartbeats() > 0; }));
  ASSERT_TRUE(cluster_->write(
      1, chat::LogOut{.request = cluster_->new_request(), .authority = {bob_.account, bob_.session}}));
  ASSERT_TRUE(wait_until([&] { return ended->end().has_value(); }));
  auto sink = std::make_shared<Collector>();
  const auto second = cluster_->node(1).watch(start_of(anna_), sink);
  EXPECT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
}

TEST_F(WatchTest, MoreLivingWatchesThanAllowedAreRefused) {
  begin(1, [](ReplicaOptions& options) { options.limits.watch.max_watches = 2; });
  auto living = std::make_shared<Collector>();
  auto leaving = std::make_shared<Collector>();
  const auto first = cluster_->node(1).watch(start_of(bob_), living);
  auto second = cluster_->node(1).watch(start_of(anna_), leaving);
  auto refused = std::make_shared<Collector>();
  const auto third = cluster_->node(1).watch(start_of(bob_), refused);
  ASSERT_TRUE(refused->end().has_value());
  EXPECT_EQ(refused->end()->code, base::Code::resource_exhausted);
  EXPECT_EQ(refused->end()->reason, "TOO_MANY_WATCHES");
  second.reset();
  auto sink = std::make_shared<Collector>();
  const auto fourth = cluster_->node(1).watch(start_of(bob_), sink);
  EXPECT_TRUE(wait_until([&] { return sink->heartbeats() > 0 && living->heartbeats() > 0; }));
}

// It goes on taking writes, which the others commit: its age is what tells its watchers to move.
TEST_F(WatchTest, AFollowerWhoseDiskStallsTellsItsWatchersHowOldItIs) {
  begin(3, [](ReplicaOptions& options) { options.limits.watch.heartbeat = std::chrono::milliseconds(50); });
  const std::uint32_t leader = cluster_->wait_for_leader();
  const std::uint32_t stalled = leader % 3 + 1;
  auto sink = std::make_shared<Collector>();
  auto well = std::make_shared<Collector>();
  const auto watch = cluster_->node(stalled).watch(start_of(bob_), sink);
  const auto other = cluster_->node(leader).watch(start_of(bob_), well);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0 && well->heartbeats() > 0; }));
  cluster_->stalling_disk(stalled).set_stalled(true);
  send(leader, "late there");
  EXPECT_TRUE(wait_until([&] { return sink->age_ms().value_or(0) >= 3'000 && sink->is_writable(); }));
  send(stalled, "by way of it");
  EXPECT_EQ(sink->count(), 0U);
  EXPECT_TRUE(wait_until([&] { return well->count() == 2 && well->age_ms().value_or(UINT32_MAX) < 2'000; }));
  cluster_->stalling_disk(stalled).set_stalled(false);
  EXPECT_TRUE(wait_until([&] { return sink->count() == 2 && sink->age_ms().value_or(UINT32_MAX) < 2'000; }));
  EXPECT_THAT(sink->bodies(), ElementsAre("late there", "by way of it"));
}

TEST_F(WatchTest, ResumesOnANodeThatWasRestartedFromItsState) {
  begin(3);
  auto sink = std::make_shared<Collector>();
  auto watch = cluster_->node(2).watch(start_of(bob_), sink);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
  const base::Position position = sink->position();
  watch.reset();
  for (int i = 0; i < 30; ++i) {
    send(1, std::to_string(i));
  }
  cluster_->stop(3);
  cluster_->start(3);
  auto resumed = std::make_shared<Collector>();
  const auto again = cluster_->node(3).watch(start_of(bob_, position), resumed);
  EXPECT_TRUE(wait_until([&] { return resumed->count() == 30; })) << resumed->count();
  EXPECT_EQ(resumed->bodies().front(), "0");
  EXPECT_EQ(resumed->bodies().back(), "29");
  EXPECT_EQ(resumed->resyncs(), 0);
}

// The state cannot be opened at the start, and can a moment later: it is ahead of what the core has given
// out, which comes in small portions, and the ring has none of its events.
TEST_F(WatchTest, AStateThatIsOpenedLateIsGoneOnWithAndItsEventsAreReplayed) {
  begin(1, [](ReplicaOptions& options) {
    options.limits.flow.max_unapplied_bytes = 1000;
    options.limits.apply.reopen_after = std::chrono::milliseconds(50);
  });
  const auto before = cluster_->write_until_known(1, cluster_->message(anna_, bob_, "before"));
  ASSERT_TRUE(before);
  for (int i = 0; i < 30; ++i) {
    send(1, std::to_string(i));
  }
  cluster_->stop(1);
  const std::string state = cluster_->folder(1) + "/state.db";
  std::filesystem::rename(state, state + ".away");
  std::filesystem::create_directory(state);
  cluster_->start(1);
  ASSERT_TRUE(wait_until([&] { return !cluster_->node(1).status().trouble.empty(); }));
  auto sink = std::make_shared<Collector>();
  // In one step: in between, the node would make a new state.
  ASSERT_EQ(::renameat2(AT_FDCWD, (state + ".away").c_str(), AT_FDCWD, state.c_str(), RENAME_EXCHANGE), 0);
  static_cast<void>(cluster_->wait_for_leader());
  send(1, "after");
  const auto watch = cluster_->node(1).watch(start_of(bob_, before->position), sink);
  ASSERT_TRUE(wait_until([&] { return sink->count() >= 31; })) << sink->count();
  EXPECT_THAT(sink->bodies(), SizeIs(31));
  EXPECT_EQ(sink->bodies().front(), "0");
  EXPECT_EQ(sink->bodies().back(), "after");
}

TEST_F(WatchTest, PagesThroughALongReplayAndGoesOnLive) {
  begin(1, [](ReplicaOptions& options) {
    options.limits.watch.replay_page = 7;
    options.limits.watch.ring_events = 5;
  });
  auto first = std::make_shared<Collector>();
  auto watch = cluster_->node(1).watch(start_of(bob_), first);
  ASSERT_TRUE(wait_until([&] { return first->heartbeats() > 0; }));
  const base::Position position = first->position();
  watch.reset();
  for (int i = 0; i < 40; ++i) {
    send(1, std::to_string(i));
  }
  auto resumed = std::make_shared<Collector>();
  const auto again = cluster_->node(1).watch(start_of(bob_, position), resumed);
  for (int i = 40; i < 60; ++i) {
    send(1, std::to_string(i));
  }
  EXPECT_TRUE(wait_until([&] { return resumed->count() == 60; })) << resumed->count();
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(resumed->bodies(), expected);
}

TEST_F(WatchTest, APositionAheadOfALaggingNodeIsWaitedFor) {
  begin(3);
  const std::uint32_t leader = cluster_->wait_for_leader();
  const std::uint32_t lagging = leader % 3 + 1;
  cluster_->network().isolate(base::NodeId(lagging));
  send(leader, "old");
  const auto sent = cluster_->write(leader, cluster_->message(anna_, bob_, "old too"));
  ASSERT_TRUE(sent);
  auto sink = std::make_shared<Collector>();
  const auto watch = cluster_->node(lagging).watch(start_of(bob_, sent->position), sink);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
  EXPECT_EQ(sink->position(), sent->position);
  EXPECT_LT(sink->as_of_position(), sent->position) << "the node does not have it";
  cluster_->network().heal();
  send(leader, "new");
  EXPECT_TRUE(wait_until([&] { return sink->count() == 1; }));
  EXPECT_THAT(sink->bodies(), ElementsAre("new"));
}

TEST_F(WatchTest, AnotherClustersPositionGetsOneResyncAndGoesOnFromNow) {
  begin(1);
  send(1, "old");
  auto sink = std::make_shared<Collector>();
  auto start = start_of(bob_, base::Position(1));
  start.cluster_id = std::string(32, 'a');
  const auto watch = cluster_->node(1).watch(start, sink);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
  EXPECT_EQ(sink->resyncs(), 1);
  send(1, "new");
  EXPECT_TRUE(wait_until([&] { return sink->count() == 1; }));
  EXPECT_THAT(sink->bodies(), ElementsAre("new"));
}

TEST_F(WatchTest, EndsWithItsSessionAndNoOther) {
  begin(3);
  auto anna = std::make_shared<Collector>();
  auto bob = std::make_shared<Collector>();
  const auto annas = cluster_->node(2).watch(start_of(anna_), anna);
  const auto bobs = cluster_->node(2).watch(start_of(bob_), bob);
  ASSERT_TRUE(wait_until([&] { return anna->heartbeats() > 0 && bob->heartbeats() > 0; }));
  ASSERT_TRUE(cluster_->write(
      1, chat::LogOut{.request = cluster_->new_request(), .authority = {bob_.account, bob_.session}}));
  EXPECT_TRUE(wait_until([&] { return bob->end().has_value(); }));
  EXPECT_EQ(bob->end()->code, base::Code::unauthenticated);
  send(1, "to the one who left");
  EXPECT_TRUE(wait_until([&] { return anna->count() == 1; }));
  EXPECT_EQ(bob->count(), 0U);
  EXPECT_FALSE(anna->end());
  // And none begins with it, with a position from before its end or without one.
  for (const auto after : {std::optional(base::Position(2)), std::optional<base::Position>()}) {
    auto late = std::make_shared<Collector>();
    const auto again = cluster_->node(3).watch(start_of(bob_, after), late);
    EXPECT_TRUE(wait_until([&] { return late->end().has_value(); }));
    EXPECT_EQ(late->count(), 0U);
  }
}

TEST_F(WatchTest, ASlowReaderIsCutOffAndResumes) {
  begin(1);
  auto slow = std::make_shared<Collector>(3);
  const auto watch = cluster_->node(1).watch(start_of(bob_), slow);
  ASSERT_TRUE(wait_until([&] { return slow->heartbeats() > 0; }));
  for (int i = 0; i < 6; ++i) {
    send(1, std::to_string(i));
  }
  ASSERT_TRUE(wait_until([&] { return slow->end().has_value(); }));
  EXPECT_EQ(slow->end()->code, base::Code::resource_exhausted);
  EXPECT_THAT(slow->bodies(), ElementsAre("0", "1", "2"));
  auto resumed = std::make_shared<Collector>();
  const auto again = cluster_->node(1).watch(start_of(bob_, slow->position()), resumed);
  EXPECT_TRUE(wait_until([&] { return resumed->count() == 3; }));
  EXPECT_THAT(resumed->bodies(), ElementsAre("3", "4", "5"));
}

TEST_F(WatchTest, AStoppedNodeEndsItsWatches) {
  begin(1);
  auto sink = std::make_shared<Collector>();
  const auto watch = cluster_->node(1).watch(start_of(bob_), sink);
  ASSERT_TRUE(wait_until([&] { return sink->heartbeats() > 0; }));
  cluster_->stop(1);
  ASSERT_TRUE(sink->end().has_value());
  EXPECT_EQ(sink->end()->code, base::Code::unavailable);
}

TEST_F(WatchTest, MovedBetweenNodesWhileLeadersAreKilledItSeesEachMessageOnceInOrder) {
  begin(3);
  auto first = std::make_shared<Collector>();
  auto watch = cluster_->node(1).watch(start_of(anna_), first);
  ASSERT_TRUE(wait_until([&] { return first->heartbeats() > 0; }));
  base::Position position = first->position();
  watch.reset();
  std::vector<Replica*> nodes = {&cluster_->node(1), &cluster_->node(2), &cluster_->node(3)};
  Load load(nodes, anna_, 4);
  std::vector<std::string> seen;
  for (int move = 0; move < 9; ++move) {
    if (move % 3 == 2) {
      const std::uint32_t leader = cluster_->wait_for_leader();
      load.set_node(leader - 1, nullptr);
      cluster_->kill(leader);
      cluster_->start(leader);
      load.set_node(leader - 1, &cluster_->node(leader));
    }
    const auto at = static_cast<std::uint32_t>(move % 3 + 1);
    auto sink = std::make_shared<Collector>();
    auto moved = cluster_->node(at).watch(start_of(anna_, position), sink);
    ASSERT_TRUE(wait_until([&] { return sink->count() >= 100; })) << "move " << move << ": " << sink->count();
    moved.reset();
    position = sink->position();
    for (const std::string& body : sink->bodies()) {
      seen.push_back(body);
    }
  }
  load.stop();
  cluster_->wait_until_equal();
  auto last = std::make_shared<Collector>();
  const auto rest = cluster_->node(2).watch(start_of(anna_, position), last);
  const std::vector<std::string> inbox = cluster_->inbox(2, ReadMode::linearizable, anna_);
  ASSERT_TRUE(wait_until([&] { return seen.size() + last->count() >= inbox.size(); }));
  for (const std::string& body : last->bodies()) {
    seen.push_back(body);
  }
  EXPECT_EQ(seen, inbox);
}

chat::SharedEvent event_at(std::uint64_t position) {
  chat::Event event;
  event.position = base::Position(position);
  event.audience = {chat::AccountId(1)};
  event.what = chat::MessageSent{};
  return std::make_shared<const chat::Event>(event);
}

// A state that answers no read until it is told to.
class SlowWorld final : public WatchHub::World {
 public:
  void read_applied(ReadCallback done) override {
    const std::scoped_lock lock(mutex_);
    reads_.push_back(std::move(done));
  }
  [[nodiscard]] AsOf as_of() const override { return {}; }
  [[nodiscard]] bool is_writable() const override { return true; }

  void fail_reads() {
    std::vector<ReadCallback> reads;
    {
      const std::scoped_lock lock(mutex_);
      reads = std::exchange(reads_, {});
    }
    for (ReadCallback& read : reads) {
      read(std::unexpected(base::refused(base::Code::unavailable, "SLOW", "The state is slow.")), AsOf{});
    }
  }

 private:
  std::mutex mutex_;
  std::vector<ReadCallback> reads_;
};

TEST(WatchHub, WhoComesFromAnotherClusterHearsNoPositionBeforeTheResync) {
  SlowWorld world;
  WatchHub hub(world, {.heartbeat = std::chrono::milliseconds(10)}, base::Position(7));
  auto foreign = std::make_shared<Collector>();
  auto ours = std::make_shared<Collector>();
  const TestUser nobody;
  WatchStart start = start_of(nobody, base::Position(1000));
  start.cluster_id = std::string(32, 'a');
  const auto theirs_watch = hub.watch(start, foreign);
  const auto ours_watch = hub.watch(start_of(nobody, base::Position(7)), ours);
  ASSERT_TRUE(wait_until([&] { return ours->heartbeats() >= 3; }));
  EXPECT_EQ(foreign->heartbeats(), 0);
  ASSERT_TRUE(wait_until([&] {
    world.fail_reads();
    return foreign->end().has_value();
  }));
}

TEST(EventRing, HasEverythingAfterItsFloorAndDropsTheOldest) {
  EventRing ring(3, 1 << 20, base::Position(10));
  ring.push(base::Position(12), {event_at(11), event_at(12)});
  EXPECT_THAT(ring.after(base::Position(10)), SizeIs(2));
  EXPECT_THAT(ring.after(base::Position(12)), IsEmpty());
  ring.push(base::Position(20), {event_at(14), event_at(20)});
  EXPECT_EQ(ring.floor(), base::Position(11));
  EXPECT_EQ(ring.end(), base::Position(20));
  EXPECT_THAT(ring.after(base::Position(12)), SizeIs(2));
}

TEST(EventRing, IsBoundedInBytesAsWell) {
  EventRing ring(1000, 600, base::Position(0));
  for (std::uint64_t at = 1; at <= 10; ++at) {
    ring.push(base::Position(at), {event_at(at)});
  }
  EXPECT_GE(ring.floor(), base::Position(8));
}

}  // namespace
}  // namespace parley::node::testing
