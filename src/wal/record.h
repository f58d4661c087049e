// The log's format, byte by byte (docs/log-format.md): segment headers, records, batches. Pure functions over
// bytes: nothing here touches a disk. Owned by: src/wal. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raft/types.h"
#include "wal/log.h"

namespace parley::wal {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kRecordHeaderBytes = 32;
inline constexpr std::size_t kAlignment = 8;

struct SegmentHeader {
  std::uint32_t version = kFormatVersion;
  std::uint64_t salt = 0;
  std::uint64_t number = 0;
  raft::Incarnation incarnation;
  std::uint64_t size_bytes = 0;  // of the whole file
  bool operator==(const SegmentHeader&) const = default;
};

struct HeaderProblem {
  std::string what;
  std::optional<std::uint32_t> newer_version;  // set: the header is whole, of a format newer than ours
};

[[nodiscard]] std::string encode(const SegmentHeader& header);
// `bytes`: the first kSegmentHeaderBytes of a file, or fewer if it has no more.
[[nodiscard]] std::expected<SegmentHeader, HeaderProblem> decode_segment_header(std::string_view bytes);

enum class RecordType : std::uint8_t {
  segment_start = 1,
  hard_state = 2,
  entry = 3,
  compaction = 4,
  peers_stored = 5,
  seal = 6,
};

// A record that lies in a segment, its checksums verified; `body` points into the segment's bytes.
struct RecordView {
  RecordType type = RecordType::seal;
  bool is_last_of_batch = false;
  std::uint8_t entry_kind = 0;  // of entries
  std::uint32_t ordinal = 0;    // within the batch, from 0
  std::uint32_t batch_crc = 0;
  std::uint64_t batch_number = 0;
  std::uint64_t offset_bytes = 0;  // within the bytes that were read
  std::uint64_t end_bytes = 0;     // where the next record begins
  std::string_view body;
};

struct BatchView {
  std::uint64_t number = 0;
  std::uint64_t end_bytes = 0;
  std::vector<RecordView> records;  // at least one
};

// The record at `offset_bytes` of `bytes`, which begin at `bytes_begin_at` of their segment; nothing if what
// lies there is not a whole one.
[[nodiscard]] std::optional<RecordView> read_record(std::string_view bytes, std::uint64_t offset_bytes,
                                                    std::uint64_t salt, std::uint64_t bytes_begin_at = 0);

// The batch at `offset_bytes`; nothing if any of its records is bad or missing, or if its number is not
// `expected_number` (nothing given: any).
[[nodiscard]] std::optional<BatchView> read_batch(std::string_view segment, std::uint64_t offset_bytes,
                                                  std::uint64_t salt,
                                                  std::optional<std::uint64_t> expected_number);

// Whether a record (at least its header) of a batch with `smallest_number` or a higher one lies at or behind
// `offset_bytes`: what stands before it was synced and is damaged, not torn.
[[nodiscard]] bool has_record_from_batch(std::string_view segment, std::uint64_t offset_bytes,
                                         std::uint64_t salt, std::uint64_t smallest_number);

[[nodiscard]] bool is_all_zero(std::string_view bytes);

// What the first batch of a segment begins with: all that must survive the segments before it.
struct SegmentStart {
  raft::Index last;  // of the log before this segment
  raft::Term last_term;
  raft::HardState hard_state;
  raft::CompactionPoint compaction;
  std::string live_state_file;
  std::vector<PeerStored> peers_stored;
  bool operator==(const SegmentStart&) const = default;
};

struct Compaction {
  bool resets_log = false;  // no entry before this record stays (snapshot install); else those after it do
  raft::CompactionPoint point;
  std::string live_state_file;
  bool operator==(const Compaction&) const = default;
};

// Bodies, decoded. The error says what is wrong; as the checksum was right, it is damage and never a torn
// tail.
template <class T>
using Decoded = std::expected<T, std::string>;
[[nodiscard]] Decoded<SegmentStart> decode_segment_start(std::string_view body);
[[nodiscard]] Decoded<raft::HardState> decode_hard_state(std::string_view body);
[[nodiscard]] Decoded<raft::Entry> decode_entry(const RecordView& record);
[[nodiscard]] Decoded<Compaction> decode_compaction(std::string_view body);
[[nodiscard]] Decoded<std::vector<PeerStored>> decode_peers_stored(std::string_view body);

[[nodiscard]] std::string encode(const SegmentStart& start);
[[nodiscard]] std::string encode(const Compaction& compaction);
[[nodiscard]] std::string encode(const raft::HardState& hard_state);
[[nodiscard]] std::string encode(const std::vector<PeerStored>& peers);

// Gathers the records of one batch; finish() then gives them their place: flags, numbers, checksums.
class BatchBuilder {
 public:
  void clear();
  // Puts a segment start in front of what was added.
  void begin_segment(const SegmentStart& start);
  // Each returns where the record begins, counted from the batch's first byte (until begin_segment shifts
  // it).
  std::size_t add(RecordType type, std::string_view body);
  std::size_t add(const raft::Entry& entry);

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }
  // The bytes to write at `offset_bytes` of the segment with this salt. At least one record was added.
  [[nodiscard]] std::string_view finish(std::uint64_t salt, std::uint64_t offset_bytes, std::uint64_t number);

 private:
  std::string bytes_;
};

}  // namespace parley::wal
