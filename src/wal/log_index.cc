#include "wal/log_index.h"

#include <algorithm>
#include <iterator>

namespace parley::wal {
namespace {

// A read begins at an extent's start: the smaller, the less it reads in vain; the larger, the less memory.
constexpr std::uint64_t kExtentBytes = 64 * 1024;

std::unexpected<std::string> wrong(const char* what) { return std::unexpected(std::string(what)); }

}  // namespace

LogIndex::Step LogIndex::start_segment(const SegmentStart& start, bool is_oldest) {
  if (!is_oldest) {
    if (start != segment_start()) {
      return wrong("a segment that does not begin where the one before it ended");
    }
    return {};
  }
  hard_state_ = start.hard_state;
  compaction_ = start.compaction;
  live_state_file_ = start.live_state_file;
  peers_stored_ = start.peers_stored;
  last_ = start.last;
  last_term_ = start.last_term;
  return {};
}

LogIndex::Step LogIndex::set_hard_state(const raft::HardState& hard_state) {
  if (hard_state.term < hard_state_.term) {
    return wrong("a term that is lower than one stored before");
  }
  hard_state_ = hard_state;
  return {};
}

LogIndex::Step LogIndex::add_entry(const EntryPlace& entry) {
  if (entry.index > last_.next() || entry.index <= compaction_.index) {
    return wrong("an entry that does not continue the log");
  }
  const bool overrides = entry.index <= last_;
  const auto term_before =
      overrides ? term_at(raft::Index(entry.index.value() - 1)) : std::optional<raft::Term>(last_term_);
  if (term_before && entry.term < *term_before) {
    return wrong("an entry with a lower term than the one before it");
  }
  if (overrides) drop_from(entry.index);
  if (terms_.empty() || terms_.back().term != entry.term) {
    terms_.push_back({.first = entry.index, .term = entry.term});
  }
  last_ = entry.index;
  last_term_ = entry.term;
  if (!extents_.empty()) {
    Extent& open = extents_.back();
    // Not after an override within the same segment: what lies between is no longer in the log.
    if (open.segment == entry.segment && !overrides && open.last.next() == entry.index &&
        entry.offset_bytes - open.offset_bytes < kExtentBytes) {
      open.last = entry.index;
      open.end_bytes = entry.end_bytes;
      return {};
    }
  }
  extents_.push_back({.first = entry.index,
                      .last = entry.index,
                      .segment = entry.segment,
                      .offset_bytes = entry.offset_bytes,
                      .end_bytes = entry.end_bytes});
  return {};
}

void LogIndex::drop_from(raft::Index index) {
  while (!extents_.empty() && extents_.back().first >= index) extents_.pop_back();
  if (!extents_.empty() && extents_.back().last >= index) {
    extents_.back().last = raft::Index(index.value() - 1);
  }
  while (!terms_.empty() && terms_.back().first >= index) terms_.pop_back();
}

LogIndex::Step LogIndex::compact(const Compaction& compaction) {
  const raft::CompactionPoint& point = compaction.point;
  if (point.index < compaction_.index ||
      (point.index == compaction_.index && point.term != compaction_.term)) {
    return wrong("a compaction point that goes backwards");
  }
  if (compaction.resets_log) {
    extents_.clear();
    terms_.clear();
    last_ = point.index;
    last_term_ = point.term;
  } else {
    const auto term = term_at(point.index);
    if (point.index > last_ || (term && *term != point.term)) {
      return wrong("a compaction point that the log does not have");
    }
    while (!extents_.empty() && extents_.front().last <= point.index) extents_.pop_front();
    // The run that holds the point's successor begins with it from now on.
    const auto next = std::ranges::upper_bound(terms_, point.index.next(), {}, &raft::TermRun::first);
    if (next != terms_.begin()) {
      const auto kept = point.index < last_ ? std::prev(next) : next;
      terms_.erase(terms_.begin(), kept);
      if (!terms_.empty()) terms_.front().first = std::max(terms_.front().first, point.index.next());
    }
  }
  compaction_ = point;
  live_state_file_ = compaction.live_state_file;
  return {};
}

std::optional<raft::Term> LogIndex::term_at(raft::Index index) const {
  if (index == compaction_.index) return compaction_.term;
  if (index == last_) return last_term_;
  if (index > last_ || index < compaction_.index) return std::nullopt;
  const auto after = std::ranges::upper_bound(terms_, index, {}, &raft::TermRun::first);
  if (after == terms_.begin()) return std::nullopt;
  return std::prev(after)->term;
}

SegmentStart LogIndex::segment_start() const {
  return {.last = last_,
          .last_term = last_term_,
          .hard_state = hard_state_,
          .compaction = compaction_,
          .live_state_file = live_state_file_,
          .peers_stored = peers_stored_};
}

std::optional<raft::Index> LogIndex::missing() const {
  const raft::Index first = compaction_.index.next();
  if (last_ == compaction_.index || (!extents_.empty() && extents_.front().first <= first)) {
    return std::nullopt;
  }
  return first;
}

std::optional<std::uint64_t> LogIndex::oldest_segment() const {
  if (extents_.empty()) return std::nullopt;
  return extents_.front().segment;
}

std::vector<Extent> LogIndex::locate(raft::Index first, std::size_t max_size_bytes) const {
  std::vector<Extent> located;
  if (first <= compaction_.index || first > last_) return located;
  auto extent = std::ranges::lower_bound(extents_, first, {}, &Extent::last);
  std::uint64_t size_bytes = 0;
  for (; extent != extents_.end() && (located.empty() || size_bytes < max_size_bytes); ++extent) {
    // Of the first extent the part before `first` does not count.
    if (!located.empty()) size_bytes += extent->end_bytes - extent->offset_bytes;
    located.push_back(*extent);
  }
  return located;
}

}  // namespace parley::wal
