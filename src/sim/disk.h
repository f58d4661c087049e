// SimDisk: the log of one node on its disk, as the node's disk thread would use wal::Log. Jobs are stored in
// order, some time after they were given, several with one sync. A crash keeps a seeded prefix of the jobs
// under way, each whole or not at all. Outlives the node's processes. Owned by: the node. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "raft/types.h"
#include "sim/options.h"
#include "sim/random.h"
#include "sim/scheduler.h"
#include "sim/wal_store.h"

namespace parley::sim {

// A log as it reads on a disk.
struct DiskContent {
  raft::HardState hard_state;
  raft::CompactionPoint compaction;
  std::vector<raft::Entry> entries;  // those after the compaction point, without a gap

  [[nodiscard]] raft::Index last() const { return raft::Index(compaction.index.value() + entries.size()); }
  // Nothing if the log does not hold it. The compaction point itself has a term, too.
  [[nodiscard]] std::optional<raft::Term> term_at(raft::Index index) const;
  [[nodiscard]] const raft::Entry* find(raft::Index index) const;

  void store(const raft::StorageBatch& batch);
  void compact(const raft::CompactionPoint& point);
  // Begins anew after a snapshot, keeping the suffix that agrees with it.
  void install(const raft::CompactionPoint& point);
};

class SimDisk {
 public:
  struct Events {
    std::function<void(const raft::StorageBatch&)> before_store;  // the last moment before it is durable
    std::function<void(const raft::StorageBatch&)> stored;        // durable; the batch and all before it
    std::function<void(const raft::CompactionPoint&)> compacted;
  };

  SimDisk(Scheduler& scheduler, FaultCounters& faults, const DiskOptions& options, Rng rng, Plant plant);

  // Whom to tell; replaced at every restart of the node.
  void attach(Events events) { events_ = std::move(events); }

  void store(raft::StorageBatch batch);
  void compact(raft::CompactionPoint point);

  // The process is gone, or the power. What is not durable is lost, but for a seeded prefix.
  void crash();
  // What a restart finds. `applied`: what the state machine has. The error: it is not what was stored.
  [[nodiscard]] std::expected<raft::RecoveredLog, std::string> recover(raft::Index applied);
  // Stored entries from `first` on, at least one if it is there, until `max_size_bytes`.
  [[nodiscard]] std::vector<raft::Entry> read(raft::Index first, std::size_t max_size_bytes) const;

  // Nothing is stored before then.
  void stall(Time until);
  void become_quick();

  [[nodiscard]] const DiskContent& durable() const { return durable_; }
  [[nodiscard]] const DiskContent& written() const { return written_; }  // with all jobs that wait

 private:
  struct Job {
    std::variant<raft::StorageBatch, raft::CompactionPoint> work;
  };

  void start();
  void finish(std::uint64_t epoch);
  static void apply(DiskContent& content, const Job& job);
  void tell(const Job& job) const;
  [[nodiscard]] bool store_with_model(std::uint64_t epoch);
  [[nodiscard]] bool store_with_log(std::uint64_t epoch);
  void lose_power();
  [[nodiscard]] std::expected<raft::RecoveredLog, std::string> recover_log(std::vector<DiskContent> possible);
  [[nodiscard]] std::vector<raft::StorageBatch> batches_under_way() const;

  Scheduler& scheduler_;
  FaultCounters& faults_;
  DiskOptions options_;
  Rng rng_;
  Plant plant_;
  Events events_;
  DiskContent durable_;
  DiskContent written_;
  std::deque<Job> jobs_;
  std::size_t under_way_ = 0;  // of jobs_, from the front: in the sync that runs
  std::uint64_t epoch_ = 0;    // a crash makes the syncs of before void
  Time stalled_until_{0};
  std::unique_ptr<WalStore> wal_;
  std::expected<raft::RecoveredLog, std::string> found_;  // by wal_, when it was opened last
};

}  // namespace parley::sim
