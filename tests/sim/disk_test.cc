#include "sim/disk.h"

#include <gtest/gtest.h>

#include <vector>

namespace parley::sim {
namespace {

raft::Entry entry(std::uint64_t index, std::uint64_t term) {
  return raft::Entry{raft::Index(index), raft::Term(term), raft::EntryKind::no_op, {}};
}

raft::StorageBatch batch(std::uint64_t number, std::vector<raft::Entry> entries) {
  return raft::StorageBatch{
      .number = number, .hard_state = {}, .installed = {}, .entries = std::move(entries)};
}

class DiskTest : public testing::Test {
 protected:
  SimDisk make(std::uint64_t keep_percent, std::uint64_t seed = 1) {
    SimDisk disk(scheduler_, faults_, DiskOptions{.keep_percent = keep_percent}, Rng(seed), Plant::none);
    disk.attach(SimDisk::Events{.before_store = [](const raft::StorageBatch&) {},
                                .stored = [](const raft::StorageBatch&) {},
                                .compacted = [](const raft::CompactionPoint&) {}});
    return disk;
  }
  void run() {
    while (scheduler_.run_next()) {
    }
  }

  Scheduler scheduler_;
  FaultCounters faults_;
};

TEST_F(DiskTest, stores_later_and_tells_in_order) {
  SimDisk disk = make(0);
  std::vector<std::uint64_t> stored;
  disk.attach(SimDisk::Events{.before_store = [](const raft::StorageBatch&) {},
                              .stored = [&](const raft::StorageBatch& b) { stored.push_back(b.number); },
                              .compacted = [](const raft::CompactionPoint&) {}});
  disk.store(batch(1, {entry(1, 1), entry(2, 1)}));
  disk.store(batch(2, {entry(2, 2)}));  // overrides
  EXPECT_TRUE(disk.durable().last().is_none());
  EXPECT_EQ(disk.written().term_at(raft::Index(2)), raft::Term(2));
  run();
  EXPECT_EQ(stored, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(disk.durable().term_at(raft::Index(2)), raft::Term(2));
}

TEST_F(DiskTest, a_crash_keeps_a_prefix_of_whole_batches) {
  bool kept_some = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimDisk disk = make(60, seed);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      disk.store(batch(i, {entry(2 * i - 1, 1), entry(2 * i, 1)}));
    }
    disk.crash();
    const std::uint64_t last = disk.recover(raft::Index())->last.value();
    EXPECT_EQ(last % 2, 0U);
    kept_some = kept_some || (last > 0 && last < 8);
    run();  // what was under way does not come after all
    EXPECT_EQ(disk.durable().last().value(), last);
  }
  EXPECT_TRUE(kept_some);
}

TEST_F(DiskTest, stalls_and_compacts) {
  SimDisk disk = make(0);
  disk.stall(Time(5'000'000));
  disk.store(batch(1, {entry(1, 1), entry(2, 1), entry(3, 2)}));
  disk.compact(raft::CompactionPoint{raft::Index(2), raft::Term(1), {}});
  run();
  EXPECT_GE(scheduler_.now(), Time(5'000'000));
  EXPECT_EQ(disk.durable().find(raft::Index(2)), nullptr);
  EXPECT_EQ(disk.durable().term_at(raft::Index(2)), raft::Term(1));
  EXPECT_EQ(disk.durable().last(), raft::Index(3));
  const raft::RecoveredLog log = disk.recover(raft::Index(2)).value();
  EXPECT_EQ(log.compaction.index, raft::Index(2));
  EXPECT_EQ(log.terms, (std::vector<raft::TermRun>{{raft::Index(3), raft::Term(2)}}));
}

TEST_F(DiskTest, an_installed_snapshot_keeps_only_a_suffix_that_agrees) {
  SimDisk disk = make(0);
  disk.store(batch(1, {entry(1, 1), entry(2, 1), entry(3, 1)}));
  raft::StorageBatch agrees = batch(2, {});
  agrees.installed = raft::CompactionPoint{raft::Index(2), raft::Term(1), {}};
  disk.store(agrees);
  run();
  EXPECT_EQ(disk.durable().last(), raft::Index(3));
  raft::StorageBatch differs = batch(3, {});
  differs.installed = raft::CompactionPoint{raft::Index(3), raft::Term(2), {}};
  disk.store(differs);
  run();
  EXPECT_TRUE(disk.durable().entries.empty());
  EXPECT_EQ(disk.durable().last(), raft::Index(3));
}

}  // namespace
}  // namespace parley::sim
