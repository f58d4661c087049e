#include "sim/network.h"

#include <gtest/gtest.h>

#include <vector>

namespace parley::sim {
namespace {

class NetworkTest : public testing::Test {
 protected:
  static constexpr raft::NodeId kOne{1};
  static constexpr raft::NodeId kTwo{2};

  Network make(const NetworkOptions& options) {
    return Network(scheduler_, trace_, faults_, options, Rng(3), 2, [this](const Packet& packet) {
      if (const auto* forward = std::get_if<ForwardRequest>(&packet.body)) {
        arrived_.push_back(forward->ticket);
      }
    });
  }
  static Packet packet(std::uint64_t ticket) { return Packet{kOne, kTwo, ForwardRequest{.ticket = ticket}}; }
  void run() {
    while (scheduler_.run_next()) {
    }
  }

  Scheduler scheduler_;
  Trace trace_{false};
  FaultCounters faults_;
  std::vector<std::uint64_t> arrived_;
};

TEST_F(NetworkTest, keeps_order_when_told) {
  Network network = make(NetworkOptions{.delay_min = Duration(0), .delay_max = Duration(10'000)});
  std::vector<std::uint64_t> sent;
  for (std::uint64_t i = 0; i < 100; ++i) {
    network.send(packet(i));
    sent.push_back(i);
  }
  run();
  EXPECT_EQ(arrived_, sent);
}

TEST_F(NetworkTest, loses_replays_and_reorders) {
  Network network = make(NetworkOptions{.loss_percent = 30, .replay_percent = 50, .keeps_order = false});
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    network.send(packet(i));
  }
  run();
  EXPECT_NEAR(static_cast<double>(faults_.of(Fault::message_lost)), 300, 60);
  EXPECT_NEAR(static_cast<double>(faults_.of(Fault::message_replayed)), 350, 60);
  EXPECT_EQ(arrived_.size(), 1'000 - faults_.of(Fault::message_lost) + faults_.of(Fault::message_replayed));
  EXPECT_GT(faults_.of(Fault::message_reordered), 0U);
}

TEST_F(NetworkTest, a_cut_has_one_direction_and_takes_what_is_under_way) {
  Network network = make(NetworkOptions{});
  network.send(packet(1));
  network.cut(kOne, kTwo);
  network.send(packet(2));
  run();
  EXPECT_TRUE(arrived_.empty());
  EXPECT_FALSE(network.is_cut(kTwo, kOne));
  network.mend_all();
  network.send(packet(3));
  run();
  EXPECT_EQ(arrived_, std::vector<std::uint64_t>{3});
}

TEST_F(NetworkTest, queues_are_bounded_and_clogs_hold_back) {
  Network network = make(NetworkOptions{.max_queued = 2});
  network.clog(kOne, kTwo, Time(1'000'000));
  for (std::uint64_t i = 0; i < 5; ++i) {
    network.send(packet(i));
  }
  EXPECT_EQ(faults_.of(Fault::queue_overflow), 3U);
  run();
  EXPECT_EQ(arrived_, (std::vector<std::uint64_t>{0, 1}));
  EXPECT_GE(scheduler_.now(), Time(1'000'000));
}

}  // namespace
}  // namespace parley::sim
