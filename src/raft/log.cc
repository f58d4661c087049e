#include "raft/log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ensure.h"
#include "raft/index_math.h"

namespace parley::raft {

Log::Log(RecoveredLog recovered)
    : compaction_(std::move(recovered.compaction)),
      terms_(std::move(recovered.terms)),
      cache_(std::make_move_iterator(recovered.entries.begin()),
             std::make_move_iterator(recovered.entries.end())),
      last_(recovered.last),
      handed_(recovered.last),
      stored_(recovered.last) {
  base::ensure(last_ >= compaction_.index, "the log ends at or after its compaction point");
  base::ensure(cache_.empty() || cache_.back().index == last_, "recovered entries end with the last one");
  base::ensure(terms_.empty() == (last_ == compaction_.index), "recovered terms cover the log");
  base::ensure(terms_.empty() || terms_.front().first == compaction_.index.next(),
               "recovered terms cover the log");
  for (std::size_t i = 0; i < cache_.size(); ++i) {
    base::ensure(i == 0 || cache_[i].index == cache_[i - 1].index.next(), "recovered entries have no gap");
    base::ensure(matches(cache_[i].index, cache_[i].term),
                 "recovered entries agree with the recovered terms");
    cached_bytes_ += entry_size_bytes(cache_[i]);
  }
}

Term Log::last_term() const { return terms_.empty() ? compaction_.term : terms_.back().term; }

std::optional<Term> Log::term_at(Index index) const {
  if (index == compaction_.index) return compaction_.term;
  if (index < compaction_.index || index > last_) return std::nullopt;
  const auto after = std::ranges::upper_bound(terms_, index, std::ranges::less{}, &TermRun::first);
  base::ensure(after != terms_.begin(), "terms cover the log");
  return std::prev(after)->term;
}

bool Log::is_up_to_date(Index other_last, Term other_last_term) const {
  return other_last_term > last_term() || (other_last_term == last_term() && other_last >= last_);
}

Index Log::last_with_term_at_most(Index from, Term term) const {
  Index end = std::min(from, last_);
  for (auto run = terms_.rbegin(); run != terms_.rend(); ++run) {
    if (run->first > end) continue;
    if (run->term <= term) return end;
    end = before(run->first);
  }
  return std::max(std::min(end, last_), compaction_.index);
}

void Log::append(Entry entry) {
  base::ensure(entry.index == last_.next(), "an entry follows the last one");
  base::ensure(entry.term >= last_term(), "terms never fall along the log");
  if (terms_.empty() || terms_.back().term != entry.term) {
    terms_.push_back({.first = entry.index, .term = entry.term});
  }
  last_ = entry.index;
  cached_bytes_ += entry_size_bytes(entry);
  cache_.push_back(std::move(entry));
}

void Log::truncate_from(Index index) {
  base::ensure(index > compaction_.index, "what was compacted is never overridden");
  while (!cache_.empty() && cache_.back().index >= index) {
    cached_bytes_ -= entry_size_bytes(cache_.back());
    cache_.pop_back();
  }
  while (!terms_.empty() && terms_.back().first >= index) terms_.pop_back();
  last_ = std::min(last_, before(index));
  handed_ = std::min(handed_, last_);
  stored_ = std::min(stored_, last_);
}

const Entry* Log::cached(Index index) const {
  const Index first = first_cached();
  if (index < first || index > last_) return nullptr;
  return &cache_[index.value() - first.value()];
}

std::vector<Entry> Log::slice(Index first, Index last, std::size_t max_entries,
                              std::size_t max_size_bytes) const {
  std::vector<Entry> entries;
  if (first > last || cached(first) == nullptr) return entries;
  entries.reserve(std::min<std::size_t>(last.value() - first.value() + 1, max_entries));
  std::size_t size_bytes = 0;
  for (Index at = first; at <= last && entries.size() < max_entries; at = at.next()) {
    const Entry* entry = cached(at);
    if (entry == nullptr) break;
    size_bytes += entry_size_bytes(*entry);
    if (!entries.empty() && size_bytes > max_size_bytes) break;
    entries.push_back(*entry);
  }
  return entries;
}

std::vector<Entry> Log::hand_over() {
  std::vector<Entry> entries;
  entries.reserve(last_.value() - handed_.value());
  for (Index at = handed_.next(); at <= last_; at = at.next()) {
    const Entry* entry = cached(at);
    base::ensure(entry != nullptr, "what is not stored is cached");
    entries.push_back(*entry);
  }
  handed_ = last_;
  return entries;
}

void Log::mark_stored(Index index) {
  base::ensure(index <= handed_, "stored only after it was handed over");
  stored_ = std::max(stored_, index);
}

void Log::trim_cache(Index needed_after, std::size_t max_cached_bytes) {
  const Index limit = std::min(needed_after, stored_);
  while (cached_bytes_ > max_cached_bytes && !cache_.empty() && cache_.front().index <= limit) {
    cached_bytes_ -= entry_size_bytes(cache_.front());
    cache_.pop_front();
  }
}

void Log::compact(const CompactionPoint& point) {
  if (point.index <= compaction_.index) return;
  base::ensure(point.index <= stored_, "only what is stored is compacted");
  base::ensure(matches(point.index, point.term), "a compaction point names an entry of this log");
  while (!cache_.empty() && cache_.front().index <= point.index) {
    cached_bytes_ -= entry_size_bytes(cache_.front());
    cache_.pop_front();
  }
  const auto after = std::ranges::upper_bound(terms_, point.index, std::ranges::less{}, &TermRun::first);
  terms_.erase(terms_.begin(), std::prev(after));
  if (point.index == last_) {
    terms_.clear();
  } else if (const auto second = std::next(terms_.begin());
             second != terms_.end() && second->first == point.index.next()) {
    terms_.erase(terms_.begin());
  } else {
    terms_.front().first = point.index.next();
  }
  compaction_ = point;
}

bool Log::install(const CompactionPoint& point) {
  if (point.index <= last_ && matches(point.index, point.term)) {
    // Entries up to the point that no batch took along need none any more: the snapshot has them.
    handed_ = std::max(handed_, point.index);
    stored_ = std::max(stored_, point.index);
    compact(point);
    return true;
  }
  cache_.clear();
  cached_bytes_ = 0;
  terms_.clear();
  compaction_ = point;
  last_ = handed_ = stored_ = point.index;
  return false;
}

}  // namespace parley::raft
