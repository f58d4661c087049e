// DiskWriter: the disk thread. Everything that waits goes down in one write and one fdatasync; after 10 ms of
// idleness the log is sealed. A failed write or sync ends the process: the kernel may hold the lost pages
// clean, and a second sync would succeed without writing them (rule 2). Owned by: the replica. store: the
// core thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/bounded_queue.h"
#include "raft/types.h"
#include "wal/log.h"

namespace parley::node {

class DiskWriter {
 public:
  // Called on the disk thread: everything up to this batch is on stable storage / the log can no longer be
  // written.
  using Stored = std::move_only_function<void(std::uint64_t batch_number)>;
  using Failed = std::move_only_function<void(const std::string& what)>;

  DiskWriter(wal::Log& log, Stored stored, Failed failed);
  ~DiskWriter();
  DiskWriter(const DiskWriter&) = delete;
  DiskWriter& operator=(const DiskWriter&) = delete;

  // In order of batch numbers. False, and the batch untouched: the queue is full.
  [[nodiscard]] bool store(raft::StorageBatch& batch) { return queue_.try_push(std::move(batch)); }
  // Writes what is queued, seals, ends the thread.
  void stop();
  // As if the process had died: what is queued is dropped, nothing is sealed.
  void abandon();

  // Since the start: writes with their fdatasync, and the time that they took together. Any thread.
  [[nodiscard]] std::uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t write_us() const { return write_us_.load(std::memory_order_relaxed); }

 private:
  void run();
  [[nodiscard]] bool write_all(std::vector<raft::StorageBatch> batches);

  wal::Log& log_;
  Stored stored_;
  Failed failed_;
  base::BoundedQueue<raft::StorageBatch> queue_;
  std::atomic<bool> is_abandoned_{false};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> write_us_{0};
  std::jthread thread_;
};

}  // namespace parley::node
