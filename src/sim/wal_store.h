// WalStore: the real write-ahead log on a disk in memory that loses, tears and fails (FaultyFileSystem),
// below a SimDisk. Owned by: SimDisk. One thread.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "raft/types.h"
#include "sim/faults.h"
#include "sim/faulty_file_system.h"
#include "sim/options.h"
#include "sim/random.h"
#include "wal/log.h"

namespace parley::sim {

class WalStore {
 public:
  WalStore(FaultCounters& faults, Rng rng, Plant plant);

  // They return when it is on stable storage.
  void append(std::span<const raft::StorageBatch> batches);
  void compact(const raft::CompactionPoint& point);

  // The process is gone, or the power; `under_way` was being written.
  void crash(std::span<const raft::StorageBatch> under_way);
  // Opens the log anew, perhaps after a crash in the middle of that. The error: what the log says is wrong.
  [[nodiscard]] std::expected<raft::RecoveredLog, std::string> recover(std::size_t tail_bytes);
  [[nodiscard]] std::vector<raft::Entry> read(raft::Index first, std::size_t max_size_bytes) const;

 private:
  // False: the power failed on the way.
  bool store_all(std::span<const raft::StorageBatch> batches);
  bool store(const raft::StorageBatch& batch);
  [[nodiscard]] wal::Options options(std::size_t tail_bytes);

  FaultCounters& faults_;
  Rng rng_;
  FaultyFileSystem files_;
  std::optional<wal::Log> log_;
};

}  // namespace parley::sim
