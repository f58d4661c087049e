// Log: what the core knows of its log: the terms of all entries, the newest entries themselves (a cache over
// what is on disk, bounded), how far the disk has been given and has stored them.
// Owned by: the core, by value. One thread.
//
// Invariants:
//   1. compaction.index <= stored <= handed <= last.
//   2. Entries (stored, last] are cached; the cache has no gap and ends with `last`.
//   3. terms: sorted by first, terms strictly rising, cover (compaction.index, last].
//   4. [compaction.index + 1, stored] is on this disk exactly as it is in this log.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "raft/types.h"

namespace parley::raft {

class Log {
 public:
  // Takes hard state and configurations elsewhere; everything recovered is stored.
  explicit Log(RecoveredLog recovered);

  [[nodiscard]] const CompactionPoint& compaction() const { return compaction_; }
  [[nodiscard]] Index last() const { return last_; }
  [[nodiscard]] Index stored() const { return stored_; }
  [[nodiscard]] Index handed() const { return handed_; }
  [[nodiscard]] Term last_term() const;
  // Of the compaction point and everything after it.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  [[nodiscard]] bool matches(Index index, Term term) const { return term_at(index) == term; }
  // Raft thesis 3.6.1: whether a log that ends so is at least as new as this one.
  [[nodiscard]] bool is_up_to_date(Index other_last, Term other_last_term) const;
  // The largest index at or below `from` whose term is at most `term`; the compaction point if none is left.
  [[nodiscard]] Index last_with_term_at_most(Index from, Term term) const;

  // `entry.index` is last + 1.
  void append(Entry entry);
  // Drops the suffix from `index` on, which must lie after the compaction point.
  void truncate_from(Index index);

  // Nothing: only on disk (or nowhere).
  [[nodiscard]] const Entry* cached(Index index) const;
  // Cached entries from `first` to at most `last`; at least one if `first` is cached, until a limit.
  [[nodiscard]] std::vector<Entry> slice(Index first, Index last, std::size_t max_entries,
                                         std::size_t max_size_bytes) const;

  // What the disk has not been given yet; from now on it has.
  [[nodiscard]] std::vector<Entry> hand_over();
  // The disk has stored up to `index` of what this log holds now.
  void mark_stored(Index index);

  // Drops cached entries, oldest first, none after `needed_after` or not stored, until the cache fits.
  void trim_cache(Index needed_after, std::size_t max_cached_bytes);
  [[nodiscard]] std::size_t cached_bytes() const { return cached_bytes_; }
  [[nodiscard]] Index first_cached() const { return Index(last_.value() + 1 - cache_.size()); }

  // Entries up to `point` are gone from the disk.
  void compact(const CompactionPoint& point);
  // An installed snapshot: keeps what follows `point` if the log agrees with it there, else nothing. True:
  // kept.
  bool install(const CompactionPoint& point);

  [[nodiscard]] const std::vector<TermRun>& terms() const { return terms_; }
  bool operator==(const Log&) const = default;

 private:
  CompactionPoint compaction_;
  std::vector<TermRun> terms_;
  std::deque<Entry> cache_;
  std::size_t cached_bytes_ = 0;
  Index last_;
  Index handed_;
  Index stored_;
};

}  // namespace parley::raft
