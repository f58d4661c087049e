// Log: a node's write-ahead log on disk (design.md, Storage; docs/log-format.md): entries, term and vote,
// compaction points, in checksummed segment files. One write and one fdatasync per batch. Owned by: the node.
// append, seal, compact and remember: the disk thread alone. read and sync_count: any thread (read touches
// only what was stored).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "raft/types.h"
#include "wal/file_system.h"

namespace parley::wal {

struct Options {
  // The first segments of a log are smaller (1 MiB, doubling), so that a new node starts at once.
  std::uint64_t segment_size_bytes = 16ULL * 1024 * 1024;
  std::size_t recovered_tail_bytes = 64 * 1024 * 1024;  // of entries handed back in memory at open
  std::uint64_t seed = 0;  // of segment salts and of a new log's incarnation; the caller takes a new one from
                           // the OS for every open
  bool prepares_in_thread = true;  // false (simulator): the next segment is made inside append
};

// The log cannot be used as it is. Never mended by itself (rule 2).
struct Damage {
  std::string file;
  std::uint64_t offset_bytes = 0;
  std::optional<raft::Index> near_index;  // the last good entry before it
  std::string what;
  [[nodiscard]] std::string describe() const;
};

// A file of a format that is newer than this program.
struct NewerFormat {
  std::string file;
  std::uint32_t version = 0;
  [[nodiscard]] std::string describe() const;
};

struct OpenError {
  std::optional<DiskError> disk;
  std::optional<Damage> damage;
  std::optional<NewerFormat> newer;
  [[nodiscard]] std::string describe() const;
};

// What a voter was last known to have stored (rule 14).
struct PeerStored {
  raft::Member member;
  raft::Term term;
  raft::Index index;
  bool operator==(const PeerStored&) const = default;
};

struct Recovered {
  raft::Incarnation incarnation;
  bool is_new = false;  // the folder was missing or had no log: made now, with a new incarnation
  raft::RecoveredLog log;
  std::string live_state_file;           // of the newest compaction record; empty: none was ever recorded
  std::vector<PeerStored> peers_stored;  // what remember() was last given before a stored batch
  bool dropped_torn_tail = false;
};

class Log {
 public:
  struct Opened;
  // Recovers, writes the last batch again and syncs, before it returns (rule 2). `folder` is made if missing.
  [[nodiscard]] static std::expected<Opened, OpenError> open(FileSystem& files, std::string folder,
                                                             Options options);
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;
  ~Log();

  // Returns when the batch is on stable storage. After an error the log must not be used again: end the
  // process.
  [[nodiscard]] DiskResult<void> append(const raft::StorageBatch& batch);
  // Several batches that waited while the disk was busy: one write, one fdatasync for all.
  [[nodiscard]] DiskResult<void> append_all(std::span<const raft::StorageBatch> batches);
  // Writes an empty batch, so that only a node that died within moments of its last batch has a tail that may
  // be dropped. Nothing is written if the last batch is a seal.
  [[nodiscard]] DiskResult<void> seal();
  // Records and syncs the point, then deletes whole segments below it (rule 7 is the caller's). If the log
  // does not have the point's entry (a snapshot was installed, rule 8), every entry goes and the log ends at
  // the point; else the entries after it stay. Points never go backwards. `live_state_file`: a name without a
  // folder.
  [[nodiscard]] DiskResult<void> compact(const raft::CompactionPoint& point,
                                         const std::string& live_state_file);
  // Is stored with the next batch, and repeated as long as the log lives (rule 14). Costs no write by itself.
  void remember(std::vector<PeerStored> peers);

  // Stored entries from `first` on, at least one if it is there, until about `max_size_bytes`; later calls
  // bring the rest. Empty: not in the log, or compacted. All of them were in the log at one moment.
  [[nodiscard]] DiskResult<std::vector<raft::Entry>> read(raft::Index first,
                                                          std::size_t max_size_bytes) const;

  [[nodiscard]] std::uint64_t sync_count() const;  // fdatasyncs of batches since open, for tests and metrics

 private:
  struct State;
  explicit Log(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Log::Opened {
  Log log;
  Recovered recovered;
};

}  // namespace parley::wal
