#include "sim/disk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include "base/ensure.h"

#include "raft/codec.h"

namespace parley::sim {

std::optional<raft::Term> DiskContent::term_at(raft::Index index) const {
  if (index == compaction.index) {
    return compaction.term;
  }
  const raft::Entry* entry = find(index);
  return entry != nullptr ? std::optional(entry->term) : std::nullopt;
}

const raft::Entry* DiskContent::find(raft::Index index) const {
  if (index <= compaction.index || index > last()) {
    return nullptr;
  }
  return &entries[index.value() - compaction.index.value() - 1];
}

void DiskContent::store(const raft::StorageBatch& batch) {
  if (batch.hard_state) {
    hard_state = *batch.hard_state;
  }
  if (batch.installed) {
    install(*batch.installed);
  }
  if (batch.entries.empty()) {
    return;
  }
  const raft::Index first = batch.entries.front().index;
  base::ensure(first > compaction.index && first <= last().next(),
               "a batch continues the log or overrides its end");
  entries.resize(first.value() - compaction.index.value() - 1);
  entries.insert(entries.end(), batch.entries.begin(), batch.entries.end());
}

void DiskContent::compact(const raft::CompactionPoint& point) {
  if (point.index <= compaction.index) {
    return;
  }
  base::ensure(point.index <= last(), "the log holds what is compacted");
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(point.index.value() -
                                                                               compaction.index.value()));
  compaction = point;
}

void DiskContent::install(const raft::CompactionPoint& point) {
  if (point.index <= compaction.index) {
    return;
  }
  if (term_at(point.index) == point.term) {
    compact(point);
    return;
  }
  entries.clear();
  compaction = point;
}

SimDisk::SimDisk(Scheduler& scheduler, FaultCounters& faults, const DiskOptions& options, Rng rng,
                 Plant plant)
    : scheduler_(scheduler), faults_(faults), options_(options), rng_(rng), plant_(plant) {
  if (options_.has_real_log) {
    wal_ = std::make_unique<WalStore>(faults_, rng_.fork(), plant_);
    found_ = recover_log({durable_});
  }
}

void SimDisk::store(raft::StorageBatch batch) {
  jobs_.push_back(Job{std::move(batch)});
  apply(written_, jobs_.back());
  if (plant_ == Plant::skip_fsync) {
    // "Stored", says the disk; it is in a cache.
    scheduler_.after(Duration(50), [this, epoch = epoch_, told = jobs_.back()] {
      if (epoch == epoch_) {
        tell(told);
      }
    });
  }
  start();
}

void SimDisk::compact(raft::CompactionPoint point) {
  jobs_.push_back(Job{std::move(point)});
  apply(written_, jobs_.back());
  start();
}

void SimDisk::start() {
  if (under_way_ > 0 || jobs_.empty()) {
    return;
  }
  under_way_ = jobs_.size();
  Duration span = rng_.between(options_.sync_min, options_.sync_max);
  if (plant_ == Plant::skip_fsync) {
    span += Duration(200'000);
  }
  const Time done = std::max(scheduler_.now() + span, stalled_until_);
  scheduler_.at(done, [this, epoch = epoch_] { finish(epoch); });
}

void SimDisk::finish(std::uint64_t epoch) {
  if (epoch != epoch_) {
    return;
  }
  if (scheduler_.now() < stalled_until_) {
    scheduler_.at(stalled_until_, [this, epoch] { finish(epoch); });
    return;
  }
  if (wal_ ? store_with_log(epoch) : store_with_model(epoch)) {
    start();
  }
}

// False: the node crashed on the way.
bool SimDisk::store_with_model(std::uint64_t epoch) {
  while (under_way_ > 0) {
    const Job job = jobs_.front();
    const auto* batch = std::get_if<raft::StorageBatch>(&job.work);
    if (batch != nullptr) {
      events_.before_store(*batch);
    }
    if (epoch != epoch_) {
      return false;
    }
    apply(durable_, job);
    jobs_.pop_front();
    --under_way_;
    if (batch == nullptr || plant_ != Plant::skip_fsync) {
      tell(job);
    }
    if (epoch != epoch_) {
      return false;
    }
  }
  return true;
}

// All batches up to a compaction with one write and one sync.
bool SimDisk::store_with_log(std::uint64_t epoch) {
  while (under_way_ > 0) {
    const std::vector<raft::StorageBatch> batches = batches_under_way();
    for (const raft::StorageBatch& batch : batches) {
      events_.before_store(batch);
      if (epoch != epoch_) {
        return false;
      }
    }
    if (batches.empty()) {
      wal_->compact(std::get<raft::CompactionPoint>(jobs_.front().work));
    } else {
      wal_->append(batches);
    }
    const std::size_t count = std::max<std::size_t>(batches.size(), 1);
    const std::vector<Job> stored(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(count));
    jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(count));
    under_way_ -= count;
    for (const Job& job : stored) {
      apply(durable_, job);
    }
    for (const Job& job : stored) {
      tell(job);
      if (epoch != epoch_) {
        return false;
      }
    }
  }
  return true;
}

void SimDisk::apply(DiskContent& content, const Job& job) {
  if (const auto* batch = std::get_if<raft::StorageBatch>(&job.work)) {
    content.store(*batch);
  } else {
    content.compact(std::get<raft::CompactionPoint>(job.work));
  }
}

void SimDisk::tell(const Job& job) const {
  if (const auto* batch = std::get_if<raft::StorageBatch>(&job.work)) {
    events_.stored(*batch);
  } else {
    events_.compacted(std::get<raft::CompactionPoint>(job.work));
  }
}

void SimDisk::crash() {
  ++epoch_;
  if (wal_) {
    lose_power();
  }
  std::size_t kept = wal_ ? jobs_.size() : 0;
  while (kept < jobs_.size() && rng_.chance(options_.keep_percent)) {
    apply(durable_, jobs_[kept]);
    ++kept;
    faults_.count(Fault::unsynced_batch_kept);
  }
  if (kept < jobs_.size()) {
    faults_.count(Fault::unsynced_batch_lost);
  }
  jobs_.clear();
  under_way_ = 0;
  written_ = durable_;
}

namespace {

raft::RecoveredLog recovered(const DiskContent& content, std::size_t max_entries) {
  raft::RecoveredLog log;
  log.hard_state = content.hard_state;
  log.compaction = content.compaction;
  log.last = content.last();
  for (const raft::Entry& entry : content.entries) {
    if (log.terms.empty() || log.terms.back().term != entry.term) {
      log.terms.push_back(raft::TermRun{entry.index, entry.term});
    }
    if (entry.kind == raft::EntryKind::configuration) {
      auto configuration = raft::decode_configuration(entry.data.view());
      base::ensure(configuration.has_value(), "a configuration in the log decodes");
      log.configurations.push_back({entry.index, std::move(*configuration)});
    } else if (entry.kind == raft::EntryKind::founding) {
      auto founding = raft::decode_founding(entry.data.view());
      base::ensure(founding.has_value(), "the founding entry decodes");
      log.configurations.push_back({entry.index, std::move(founding->configuration)});
    }
  }
  const auto tail = static_cast<std::ptrdiff_t>(std::min(max_entries, content.entries.size()));
  log.entries.assign(content.entries.end() - tail, content.entries.end());
  return log;
}

}  // namespace

std::expected<raft::RecoveredLog, std::string> SimDisk::recover(raft::Index applied) {
  if (wal_) {
    return found_;
  }
  if (plant_ == Plant::forget_vote) {
    durable_.hard_state.voted_for.reset();
  }
  if (plant_ == Plant::forget_term && !durable_.entries.empty()) {
    durable_.hard_state = {.term = durable_.entries.back().term, .voted_for = std::nullopt};
  }
  while (plant_ == Plant::forget_tail && durable_.last() > std::max(applied, raft::Index(1))) {
    durable_.entries.pop_back();
  }
  written_ = durable_;
  return recovered(durable_, options_.recovered_entries);
}

// Opens the log, and demands that it is one of those that may come back.
std::expected<raft::RecoveredLog, std::string> SimDisk::recover_log(std::vector<DiskContent> possible) {
  constexpr std::size_t kBytesOfEntry = 40;  // about
  auto log = wal_->recover(options_.recovered_entries * kBytesOfEntry);
  if (!log) {
    return log;
  }
  for (DiskContent& content : possible) {
    if (recovered(content, log->entries.size()) == *log) {
      durable_ = std::move(content);
      written_ = durable_;
      return log;
    }
  }
  return std::unexpected(fmt::format(
      "the log came back to {} in t{}, which was never stored; it had {} in t{}", log->last.value(),
      log->hard_state.term.value(), durable_.last().value(), durable_.hard_state.term.value()));
}

std::vector<raft::StorageBatch> SimDisk::batches_under_way() const {
  std::vector<raft::StorageBatch> batches;
  for (std::size_t i = 0; i < under_way_; ++i) {
    const auto* batch = std::get_if<raft::StorageBatch>(&jobs_[i].work);
    if (batch == nullptr) {
      break;  // a compaction waits for a sync of its own
    }
    batches.push_back(*batch);
  }
  return batches;
}

// What comes back is what was durable, or that and all that was under way: one write is one batch on the
// disk, but each step of installing a snapshot is durable by itself.
void SimDisk::lose_power() {
  const std::vector<raft::StorageBatch> batches = batches_under_way();
  const bool installs = std::ranges::any_of(
      batches, [](const raft::StorageBatch& batch) { return batch.installed.has_value(); });
  std::vector<DiskContent> possible = {durable_};
  DiskContent content = durable_;
  for (const raft::StorageBatch& batch : batches) {
    if (batch.installed) {
      content.store(raft::StorageBatch{.hard_state = batch.hard_state});
      possible.push_back(content);
      content.store(raft::StorageBatch{.installed = batch.installed});
      possible.push_back(content);
    }
    content.store(batch);
    if (installs) {
      possible.push_back(content);
    }
  }
  possible.push_back(content);
  wal_->crash(batches);
  found_ = recover_log(std::move(possible));
}

std::vector<raft::Entry> SimDisk::read(raft::Index first, std::size_t max_size_bytes) const {
  if (wal_) {
    return wal_->read(first, max_size_bytes);
  }
  std::vector<raft::Entry> entries;
  std::size_t size_bytes = 0;
  for (raft::Index index = first; const raft::Entry* entry = durable_.find(index); index = index.next()) {
    size_bytes += entry->data.size_bytes();
    if (!entries.empty() && size_bytes > max_size_bytes) {
      break;
    }
    entries.push_back(*entry);
  }
  return entries;
}

void SimDisk::stall(Time until) { stalled_until_ = std::max(stalled_until_, until); }

void SimDisk::become_quick() {
  options_.sync_min = Duration(100);
  options_.sync_max = Duration(500);
  stalled_until_ = Time(0);
}

}  // namespace parley::sim
