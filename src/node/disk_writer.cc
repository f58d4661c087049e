#include "node/disk_writer.h"

#include <utility>

#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::size_t kMaxQueuedBatches = 4096;
constexpr std::chrono::milliseconds kSealAfter{10};

}  // namespace

DiskWriter::DiskWriter(wal::Log& log, Stored stored, Failed failed)
    : log_(log),
      stored_(std::move(stored)),
      failed_(std::move(failed)),
      queue_("disk", kMaxQueuedBatches),
      thread_([this] { run(); }) {}

DiskWriter::~DiskWriter() { abandon(); }

void DiskWriter::stop() {
  queue_.close();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void DiskWriter::abandon() {
  is_abandoned_ = true;
  stop();
}

bool DiskWriter::write_all(std::vector<raft::StorageBatch> batches) {
  const std::uint64_t last = batches.back().number;
  const auto began_at = std::chrono::steady_clock::now();
  if (auto done = log_.append_all(batches); !done) {
    failed_("the log cannot be written: " + done.error().describe());
    return false;
  }
  const auto took = std::chrono::steady_clock::now() - began_at;
  writes_.fetch_add(1, std::memory_order_relaxed);
  write_us_.fetch_add(
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()),
      std::memory_order_relaxed);
  stored_(last);
  return true;
}

void DiskWriter::run() {
  name_this_thread("disk");
  bool is_sealed = false;
  while (true) {
    auto waiting =
        is_sealed ? queue_.pop_all() : queue_.pop_all_until(std::chrono::steady_clock::now() + kSealAfter);
    if (is_abandoned_) {
      return;
    }
    if (!waiting.empty()) {
      std::vector<raft::StorageBatch> batches(std::make_move_iterator(waiting.begin()),
                                              std::make_move_iterator(waiting.end()));
      if (!write_all(std::move(batches))) {
        return;
      }
      is_sealed = false;
      continue;
    }
    if (!is_sealed) {
      if (auto done = log_.seal(); !done) {
        failed_("the log cannot be sealed: " + done.error().describe());
        return;
      }
      is_sealed = true;
      continue;
    }
    return;  // closed and drained, and sealed
  }
}

}  // namespace parley::node
