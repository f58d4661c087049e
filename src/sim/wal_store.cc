#include "sim/wal_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ensure.h"

namespace parley::sim {
namespace {

const std::string kFolder = "log";
constexpr std::uint64_t kSegmentBytes = 16'384;  // small: many segments in a short life

std::string state_file(const raft::CompactionPoint& point) {
  return fmt::format("state-{}", point.index.value());
}

}  // namespace

WalStore::WalStore(FaultCounters& faults, Rng rng, Plant plant)
    : faults_(faults), rng_(rng), files_(rng_.next()) {
  files_.lie_about_syncs(plant == Plant::lying_disk);
}

wal::Options WalStore::options(std::size_t tail_bytes) {
  return wal::Options{.segment_size_bytes = kSegmentBytes,
                      .recovered_tail_bytes = tail_bytes,
                      .seed = rng_.next(),
                      .prepares_in_thread = false};
}

bool WalStore::store(const raft::StorageBatch& batch) {
  if (!batch.installed) {
    return log_->append(batch).has_value();
  }
  // The term first: a log must never be newer than it.
  return log_->append(raft::StorageBatch{.hard_state = batch.hard_state}) &&
         log_->compact(*batch.installed, state_file(*batch.installed)) &&
         log_->append(raft::StorageBatch{.entries = batch.entries});
}

bool WalStore::store_all(std::span<const raft::StorageBatch> batches) {
  if (std::ranges::none_of(batches,
                           [](const raft::StorageBatch& batch) { return batch.installed.has_value(); })) {
    return log_->append_all(batches).has_value();
  }
  return std::ranges::all_of(batches, [this](const raft::StorageBatch& batch) { return store(batch); });
}

void WalStore::append(std::span<const raft::StorageBatch> batches) {
  base::ensure(store_all(batches), "the disk works as long as no fault is injected");
}

void WalStore::compact(const raft::CompactionPoint& point) {
  base::ensure(log_->compact(point, state_file(point)).has_value(),
               "the disk works as long as no fault is injected");
}

void WalStore::crash(std::span<const raft::StorageBatch> under_way) {
  // The power fails in the middle of a write; or an operation fails, and the process ends because of it (and
  // what a failed fdatasync left in the page cache counts as clean); or neither is under way.
  const bool fails_in_write = log_ && !under_way.empty() && rng_.chance(80);
  const bool power_fails = rng_.coin();
  if (fails_in_write) {
    files_.inject(power_fails ? DiskFault::power_fails : DiskFault::fails, rng_.below(4));
    static_cast<void>(store_all(under_way));
    if (files_.has_injected()) {
      faults_.count(power_fails ? Fault::power_failed_in_write : Fault::disk_error);
    }
  }
  log_.reset();
  files_.clear_faults();
  if (power_fails) {
    files_.crash();
  } else {
    files_.kill();
  }
}

std::expected<raft::RecoveredLog, std::string> WalStore::recover(std::size_t tail_bytes) {
  while (rng_.chance(15)) {
    files_.inject(DiskFault::power_fails, rng_.below(12));
    const bool opened = wal::Log::open(files_, kFolder, options(tail_bytes)).has_value();
    files_.clear_faults();
    if (!opened) {
      faults_.count(Fault::power_failed_in_recovery);
    }
    files_.crash();
  }
  auto opened = wal::Log::open(files_, kFolder, options(tail_bytes));
  if (!opened) {
    return std::unexpected(opened.error().describe());
  }
  log_.emplace(std::move(opened->log));
  return std::move(opened->recovered.log);
}

std::vector<raft::Entry> WalStore::read(raft::Index first, std::size_t max_size_bytes) const {
  auto entries = log_->read(first, max_size_bytes);
  base::ensure(entries.has_value(), "the disk works as long as no fault is injected");
  return std::move(*entries);
}

}  // namespace parley::sim
