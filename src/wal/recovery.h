// Recovery: reads a log's segments, decides between a torn tail and damage, and puts on disk again what it
// keeps. Everything that it reads is foreign. Owned by: Log::open, on the thread that calls it.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wal/file_system.h"
#include "wal/log.h"
#include "wal/log_index.h"
#include "wal/segment.h"

namespace parley::wal {

// Where the next batch goes, and what there is before it.
struct Recovery {
  LogIndex index;
  raft::RecoveredLog log;
  std::map<std::uint64_t, Segment>
      used;                     // by number; the last one is where the next batch goes if it has room
  std::vector<Segment> unused;  // in place, zero behind their headers
  std::uint64_t end_bytes = kSegmentHeaderBytes;  // of what is used in the last used segment
  std::uint64_t next_batch_number = 1;
  std::uint64_t compaction_segment = 0;  // holds the newest compaction record
  bool ends_with_seal = false;
  bool dropped_torn_tail = false;
};

[[nodiscard]] inline std::unexpected<OpenError> disk_failed(DiskError error) {
  return std::unexpected(OpenError{.disk = std::move(error)});
}

// Reads and repairs (docs/log-format.md, Recovery). No segment at all: nothing. Segments but no batch (the
// log's making was cut short): no `used` segment. The folder must be locked.
[[nodiscard]] std::expected<std::optional<Recovery>, OpenError> recover(FileSystem& files,
                                                                        const std::string& folder,
                                                                        const Options& options);

}  // namespace parley::wal
