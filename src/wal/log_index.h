// LogIndex: what a log holds, as far as memory must know it: term and vote, compaction point, terms, and
// where the entries lie. Recovery and append both make it, by the same steps. Owned by: Log. Its mutex guards
// it.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "raft/types.h"
#include "wal/log.h"
#include "wal/record.h"

namespace parley::wal {

// Entries `first` to `last` lie in this order, with other records between them, in [offset, end) of a
// segment.
struct Extent {
  raft::Index first;
  raft::Index last;
  std::uint64_t segment = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t end_bytes = 0;
};

// An entry and the bytes [offset, end) of its record.
struct EntryPlace {
  raft::Index index;
  raft::Term term;
  std::uint64_t segment = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t end_bytes = 0;
};

class LogIndex {
 public:
  // Steps, in the order of the records. The error says why a record cannot follow what came before it;
  // nothing has changed then.
  using Step = std::expected<void, std::string>;
  // `is_oldest`: no segment before this one is there, its start is believed. Else it must repeat what is
  // known.
  Step start_segment(const SegmentStart& start, bool is_oldest);
  Step set_hard_state(const raft::HardState& hard_state);
  Step add_entry(const EntryPlace& entry);
  Step compact(const Compaction& compaction);
  void set_peers_stored(std::vector<PeerStored> peers) { peers_stored_ = std::move(peers); }

  [[nodiscard]] const raft::HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] const raft::CompactionPoint& compaction() const { return compaction_; }
  [[nodiscard]] const std::string& live_state_file() const { return live_state_file_; }
  [[nodiscard]] const std::vector<PeerStored>& peers_stored() const { return peers_stored_; }
  [[nodiscard]] const std::vector<raft::TermRun>& terms() const { return terms_; }
  [[nodiscard]] raft::Index last() const { return last_; }
  [[nodiscard]] raft::Term last_term() const { return last_term_; }
  // Nothing for an entry that is not in the log, or lies in a part of it that recovery never saw.
  [[nodiscard]] std::optional<raft::Term> term_at(raft::Index index) const;
  [[nodiscard]] SegmentStart segment_start() const;

  // The first entry after the compaction point that no segment has, if one is missing.
  [[nodiscard]] std::optional<raft::Index> missing() const;
  // The oldest segment that still holds an entry of the log; nothing: none does.
  [[nodiscard]] std::optional<std::uint64_t> oldest_segment() const;
  // Extents from the one that holds `first` on, until their bytes reach `max_size_bytes`.
  [[nodiscard]] std::vector<Extent> locate(raft::Index first, std::size_t max_size_bytes) const;

 private:
  void drop_from(raft::Index index);

  raft::HardState hard_state_;
  raft::CompactionPoint compaction_;
  std::string live_state_file_;
  std::vector<PeerStored> peers_stored_;
  raft::Index last_;
  raft::Term last_term_;
  std::vector<raft::TermRun> terms_;  // of the entries in extents_ after the compaction point
  std::deque<Extent> extents_;        // sorted by index, and thereby by segment and offset
};

}  // namespace parley::wal
