#include "wal/record.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/byte_reader.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/little_endian.h"
#include "raft/codec.h"

namespace parley::wal {
namespace {

using base::append_le;
using base::read_le;

constexpr std::string_view kMagic("ParleyWL");
static_assert(kMagic.size() == 8);
constexpr std::size_t kSegmentCrcAt = 12;

// Fields of a record's header, by their offsets.
constexpr std::size_t kHeaderCrcAt = 0;
constexpr std::size_t kBodyCrcAt = 4;
constexpr std::size_t kBodySizeAt = 8;
constexpr std::size_t kBatchCrcAt = 12;
constexpr std::size_t kBatchNumberAt = 16;
constexpr std::size_t kTypeAt = 24;
constexpr std::size_t kFlagsAt = 25;
constexpr std::size_t kEntryKindAt = 26;
constexpr std::size_t kZeroAt = 27;
constexpr std::size_t kOrdinalAt = 28;

constexpr std::uint8_t kLastOfBatch = 1;  // the only flag of a record
constexpr std::uint8_t kResetsLog = 1;    // the only flag of a compaction
constexpr std::size_t kMaxStateFileNameBytes = 255;
constexpr std::size_t kMaxPeers = 1024;

constexpr std::uint64_t padded(std::uint64_t size_bytes) {
  return (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <std::unsigned_integral T>
void write_le(std::string& out, std::size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof(T));
}

// What both checksums of a record begin with: its place. So the same bytes elsewhere are no record.
std::uint32_t place_crc(std::uint64_t salt, std::uint64_t offset_bytes) {
  char place[16];
  std::memcpy(place, &salt, sizeof(salt));
  std::memcpy(place + sizeof(salt), &offset_bytes, sizeof(offset_bytes));
  return base::crc32c(std::string_view(place, sizeof(place)));
}

bool is_known_type(std::uint8_t type) {
  return type >= static_cast<std::uint8_t>(RecordType::segment_start) &&
         type <= static_cast<std::uint8_t>(RecordType::seal);
}

bool is_whole_header(std::string_view segment, std::uint64_t offset_bytes, std::uint32_t place) {
  const std::string_view header = segment.substr(offset_bytes, kRecordHeaderBytes);
  const auto type = read_le<std::uint8_t>(header, kTypeAt);
  return is_known_type(type) && (read_le<std::uint8_t>(header, kFlagsAt) & ~kLastOfBatch) == 0 &&
         read_le<std::uint8_t>(header, kZeroAt) == 0 &&
         base::crc32c(header.substr(kBodyCrcAt), place) == read_le<std::uint32_t>(header, kHeaderCrcAt);
}

// What a batch's checksum says of one record. It ties the records of one attempt together: of two torn
// attempts at the same place no mixture can pass.
std::uint32_t extend_batch_crc(std::uint32_t crc, std::string_view header) {
  crc = base::crc32c(header.substr(kBodyCrcAt, kBatchCrcAt - kBodyCrcAt), crc);
  return base::crc32c(header.substr(kTypeAt), crc);
}

std::unexpected<std::string> wrong(std::string what) { return std::unexpected(std::move(what)); }

void append_hard_state(std::string& out, const raft::HardState& hard_state) {
  const raft::Member vote = hard_state.voted_for.value_or(raft::Member{});
  append_le(out, hard_state.term.value());
  append_le(out, vote.incarnation.value());
  append_le(out, vote.id.value());
  append_le(out, std::uint32_t{0});
}

Decoded<raft::HardState> take_hard_state(base::ByteReader& reader) {
  raft::HardState hard_state{.term = raft::Term(reader.take<std::uint64_t>())};
  const raft::Incarnation incarnation(reader.take<std::uint64_t>());
  const raft::NodeId id(reader.take<std::uint32_t>());
  const auto zero = reader.take<std::uint32_t>();
  if (reader.failed() || zero != 0 || id.is_none() != incarnation.is_none()) {
    return wrong("a term and vote that make no sense");
  }
  if (!id.is_none()) hard_state.voted_for = raft::Member{.id = id, .incarnation = incarnation};
  return hard_state;
}

void append_compaction(std::string& out, const raft::CompactionPoint& point,
                       std::string_view live_state_file) {
  base::ensure(live_state_file.size() <= kMaxStateFileNameBytes, "a state file's name fits the format");
  const std::string configuration = raft::encode(point.configuration);
  append_le(out, point.index.value());
  append_le(out, point.term.value());
  append_le(out, static_cast<std::uint32_t>(configuration.size()));
  append_le(out, static_cast<std::uint32_t>(live_state_file.size()));
  out += configuration;
  out += live_state_file;
}

struct PointAndFile {
  raft::CompactionPoint point;
  std::string live_state_file;
};

Decoded<PointAndFile> take_compaction(base::ByteReader& reader) {
  PointAndFile taken;
  taken.point.index = raft::Index(reader.take<std::uint64_t>());
  taken.point.term = raft::Term(reader.take<std::uint64_t>());
  const auto configuration_bytes = reader.take<std::uint32_t>();
  const auto name_bytes = reader.take<std::uint32_t>();
  const std::string_view configuration = reader.take_bytes(configuration_bytes);
  const std::string_view name = reader.take_bytes(name_bytes);
  if (reader.failed() || name_bytes > kMaxStateFileNameBytes ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos ||
      taken.point.index.is_none() != taken.point.term.is_none()) {
    return wrong("a compaction point that makes no sense");
  }
  auto decoded = raft::decode_configuration(configuration);
  if (!decoded) {
    return wrong("a compaction point with " + decoded.error());
  }
  taken.point.configuration = std::move(*decoded);
  taken.live_state_file = name;
  return taken;
}

void append_peers(std::string& out, const std::vector<PeerStored>& peers) {
  base::ensure(peers.size() <= kMaxPeers, "the remembered peers fit the format");
  append_le(out, static_cast<std::uint32_t>(peers.size()));
  append_le(out, std::uint32_t{0});
  for (const PeerStored& peer : peers) {
    append_le(out, peer.member.id.value());
    append_le(out, std::uint32_t{0});
    append_le(out, peer.member.incarnation.value());
    append_le(out, peer.term.value());
    append_le(out, peer.index.value());
  }
}

Decoded<std::vector<PeerStored>> take_peers(base::ByteReader& reader) {
  const auto count = reader.take<std::uint32_t>();
  bool is_sound = reader.take<std::uint32_t>() == 0 && count <= kMaxPeers;
  std::vector<PeerStored> peers;
  for (std::uint32_t i = 0; i < count && is_sound; ++i) {
    PeerStored peer;
    peer.member.id = raft::NodeId(reader.take<std::uint32_t>());
    const auto zero = reader.take<std::uint32_t>();
    peer.member.incarnation = raft::Incarnation(reader.take<std::uint64_t>());
    peer.term = raft::Term(reader.take<std::uint64_t>());
    peer.index = raft::Index(reader.take<std::uint64_t>());
    is_sound = !reader.failed() && zero == 0;
    peers.push_back(peer);
  }
  if (!is_sound || reader.failed()) {
    return wrong("remembered peers that make no sense");
  }
  return peers;
}

}  // namespace

std::string encode(const SegmentHeader& header) {
  std::string out(kMagic);
  append_le(out, header.version);
  append_le(out, std::uint32_t{0});  // the checksum, below
  append_le(out, header.salt);
  append_le(out, header.number);
  append_le(out, header.incarnation.value());
  append_le(out, header.size_bytes);
  out.resize(kSegmentHeaderBytes, '\0');
  write_le(out, kSegmentCrcAt, base::crc32c(out));
  return out;
}

std::expected<SegmentHeader, HeaderProblem> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return std::unexpected(HeaderProblem{.what = "the file is shorter than a segment's header"});
  }
  std::string without_crc(bytes.substr(0, kSegmentHeaderBytes));
  write_le(without_crc, kSegmentCrcAt, std::uint32_t{0});
  if (!bytes.starts_with(kMagic) ||
      base::crc32c(without_crc) != read_le<std::uint32_t>(bytes, kSegmentCrcAt)) {
    return std::unexpected(HeaderProblem{.what = "the segment's header is damaged"});
  }
  base::ByteReader reader(bytes.substr(kMagic.size(), kSegmentHeaderBytes - kMagic.size()));
  SegmentHeader header;
  header.version = reader.take<std::uint32_t>();
  if (header.version > kFormatVersion) {
    return std::unexpected(HeaderProblem{.what = "a newer format", .newer_version = header.version});
  }
  static_cast<void>(reader.take<std::uint32_t>());  // the checksum
  header.salt = reader.take<std::uint64_t>();
  header.number = reader.take<std::uint64_t>();
  header.incarnation = raft::Incarnation(reader.take<std::uint64_t>());
  header.size_bytes = reader.take<std::uint64_t>();
  if (header.version == 0 || header.incarnation.is_none() || header.size_bytes < kSegmentHeaderBytes ||
      !is_all_zero(reader.take_bytes(reader.left_bytes()))) {
    return std::unexpected(HeaderProblem{.what = "the segment's header makes no sense"});
  }
  return header;
}

std::optional<RecordView> read_record(std::string_view bytes, std::uint64_t offset_bytes, std::uint64_t salt,
                                      std::uint64_t bytes_begin_at) {
  if (offset_bytes > bytes.size() || bytes.size() - offset_bytes < kRecordHeaderBytes) {
    return std::nullopt;
  }
  const std::uint32_t place = place_crc(salt, bytes_begin_at + offset_bytes);
  if (!is_whole_header(bytes, offset_bytes, place)) {
    return std::nullopt;
  }
  const std::string_view header = bytes.substr(offset_bytes, kRecordHeaderBytes);
  const auto body_bytes = read_le<std::uint32_t>(header, kBodySizeAt);
  const std::uint64_t body_at = offset_bytes + kRecordHeaderBytes;
  if (bytes.size() - body_at < padded(body_bytes)) {
    return std::nullopt;
  }
  const std::string_view padded_body = bytes.substr(body_at, padded(body_bytes));
  if (base::crc32c(padded_body, place) != read_le<std::uint32_t>(header, kBodyCrcAt)) {
    return std::nullopt;
  }
  return RecordView{.type = static_cast<RecordType>(read_le<std::uint8_t>(header, kTypeAt)),
                    .is_last_of_batch = (read_le<std::uint8_t>(header, kFlagsAt) & kLastOfBatch) != 0,
                    .entry_kind = read_le<std::uint8_t>(header, kEntryKindAt),
                    .ordinal = read_le<std::uint32_t>(header, kOrdinalAt),
                    .batch_crc = read_le<std::uint32_t>(header, kBatchCrcAt),
                    .batch_number = read_le<std::uint64_t>(header, kBatchNumberAt),
                    .offset_bytes = offset_bytes,
                    .end_bytes = body_at + padded_body.size(),
                    .body = padded_body.substr(0, body_bytes)};
}

std::optional<BatchView> read_batch(std::string_view segment, std::uint64_t offset_bytes, std::uint64_t salt,
                                    std::optional<std::uint64_t> expected_number) {
  BatchView batch{.end_bytes = offset_bytes};
  std::uint32_t batch_crc = 0;
  while (batch.records.empty() || !batch.records.back().is_last_of_batch) {
    const auto record = read_record(segment, batch.end_bytes, salt);
    if (!record) {
      return std::nullopt;
    }
    if (batch.records.empty()) batch.number = record->batch_number;
    if (record->batch_number != expected_number.value_or(batch.number) ||
        record->ordinal != batch.records.size() ||
        (!batch.records.empty() && record->batch_crc != batch.records.front().batch_crc)) {
      return std::nullopt;
    }
    batch_crc = extend_batch_crc(batch_crc, segment.substr(record->offset_bytes, kRecordHeaderBytes));
    batch.end_bytes = record->end_bytes;
    batch.records.push_back(*record);
  }
  if (batch_crc != batch.records.front().batch_crc) {
    return std::nullopt;
  }
  return batch;
}

bool has_record_from_batch(std::string_view segment, std::uint64_t offset_bytes, std::uint64_t salt,
                           std::uint64_t smallest_number) {
  for (std::uint64_t at = padded(offset_bytes);
       at <= segment.size() && segment.size() - at >= kRecordHeaderBytes; at += kAlignment) {
    // The cheap look comes first: most of what is searched is zeros.
    if (read_le<std::uint64_t>(segment, at + kBatchNumberAt) >= smallest_number &&
        is_known_type(read_le<std::uint8_t>(segment, at + kTypeAt)) &&
        is_whole_header(segment, at, place_crc(salt, at))) {
      return true;
    }
  }
  return false;
}

bool is_all_zero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes.front() == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::string encode(const SegmentStart& start) {
  std::string out;
  append_le(out, start.last.value());
  append_le(out, start.last_term.value());
  append_hard_state(out, start.hard_state);
  append_compaction(out, start.compaction, start.live_state_file);
  append_peers(out, start.peers_stored);
  return out;
}

Decoded<SegmentStart> decode_segment_start(std::string_view body) {
  base::ByteReader reader(body);
  SegmentStart start;
  start.last = raft::Index(reader.take<std::uint64_t>());
  start.last_term = raft::Term(reader.take<std::uint64_t>());
  auto hard_state = take_hard_state(reader);
  if (!hard_state) {
    return std::unexpected(hard_state.error());
  }
  auto compaction = take_compaction(reader);
  if (!compaction) {
    return std::unexpected(compaction.error());
  }
  auto peers = take_peers(reader);
  if (!peers) {
    return std::unexpected(peers.error());
  }
  start.hard_state = *hard_state;
  start.compaction = std::move(compaction->point);
  start.live_state_file = std::move(compaction->live_state_file);
  start.peers_stored = std::move(*peers);
  if (!reader.is_done() || start.last.is_none() != start.last_term.is_none() ||
      start.last < start.compaction.index || start.last_term < start.compaction.term) {
    return wrong("a segment start that makes no sense");
  }
  return start;
}

std::string encode(const raft::HardState& hard_state) {
  std::string out;
  append_hard_state(out, hard_state);
  return out;
}

Decoded<raft::HardState> decode_hard_state(std::string_view body) {
  base::ByteReader reader(body);
  auto hard_state = take_hard_state(reader);
  if (hard_state && !reader.is_done()) {
    return wrong("bytes behind a term and vote");
  }
  return hard_state;
}

Decoded<raft::Entry> decode_entry(const RecordView& record) {
  base::ByteReader reader(record.body);
  raft::Entry entry{.index = raft::Index(reader.take<std::uint64_t>()),
                    .term = raft::Term(reader.take<std::uint64_t>()),
                    .kind = static_cast<raft::EntryKind>(record.entry_kind)};
  if (reader.failed() || entry.index.is_none() || entry.term.is_none() ||
      record.entry_kind < static_cast<std::uint8_t>(raft::EntryKind::founding) ||
      record.entry_kind > static_cast<std::uint8_t>(raft::EntryKind::command)) {
    return wrong("an entry that makes no sense");
  }
  entry.data = raft::Payload(std::string(reader.take_bytes(reader.left_bytes())));
  return entry;
}

std::string encode(const Compaction& compaction) {
  std::string out;
  append_le(out, std::uint64_t{compaction.resets_log ? kResetsLog : std::uint8_t{0}});
  append_compaction(out, compaction.point, compaction.live_state_file);
  return out;
}

Decoded<Compaction> decode_compaction(std::string_view body) {
  base::ByteReader reader(body);
  const auto flags = reader.take<std::uint64_t>();
  auto taken = take_compaction(reader);
  if (!taken) {
    return std::unexpected(taken.error());
  }
  if (!reader.is_done() || (flags & ~std::uint64_t{kResetsLog}) != 0 || taken->point.index.is_none()) {
    return wrong("a compaction that makes no sense");
  }
  return Compaction{.resets_log = (flags & kResetsLog) != 0,
                    .point = std::move(taken->point),
                    .live_state_file = std::move(taken->live_state_file)};
}

std::string encode(const std::vector<PeerStored>& peers) {
  std::string out;
  append_peers(out, peers);
  return out;
}

Decoded<std::vector<PeerStored>> decode_peers_stored(std::string_view body) {
  base::ByteReader reader(body);
  auto peers = take_peers(reader);
  if (peers && !reader.is_done()) {
    return wrong("bytes behind the remembered peers");
  }
  return peers;
}

namespace {

// A record whose checksums, numbers and place are still to come.
void append_record(std::string& out, RecordType type, std::uint8_t entry_kind, std::string_view head,
                   std::string_view rest) {
  const std::size_t body_bytes = head.size() + rest.size();
  base::ensure(body_bytes <= std::numeric_limits<std::uint32_t>::max() - kAlignment, "a record fits 4 GiB");
  const std::size_t at = out.size();
  out.resize(at + kRecordHeaderBytes, '\0');
  write_le(out, at + kBodySizeAt, static_cast<std::uint32_t>(body_bytes));
  write_le(out, at + kTypeAt, static_cast<std::uint8_t>(type));
  write_le(out, at + kEntryKindAt, entry_kind);
  out += head;
  out += rest;
  out.resize(at + kRecordHeaderBytes + padded(body_bytes), '\0');
}

}  // namespace

void BatchBuilder::clear() {
  constexpr std::size_t kKeptBytes = 4 * 1024 * 1024;
  if (bytes_.capacity() > kKeptBytes) bytes_ = std::string();
  bytes_.clear();
}

void BatchBuilder::begin_segment(const SegmentStart& start) {
  std::string record;
  append_record(record, RecordType::segment_start, 0, encode(start), {});
  bytes_.insert(0, record);
}

std::size_t BatchBuilder::add(RecordType type, std::string_view body) {
  const std::size_t at = bytes_.size();
  append_record(bytes_, type, 0, body, {});
  return at;
}

std::size_t BatchBuilder::add(const raft::Entry& entry) {
  char head[16];
  const std::uint64_t index = entry.index.value();
  const std::uint64_t term = entry.term.value();
  std::memcpy(head, &index, sizeof(index));
  std::memcpy(head + sizeof(index), &term, sizeof(term));
  const std::size_t at = bytes_.size();
  append_record(bytes_, RecordType::entry, static_cast<std::uint8_t>(entry.kind),
                std::string_view(head, sizeof(head)), entry.data.view());
  return at;
}

std::string_view BatchBuilder::finish(std::uint64_t salt, std::uint64_t offset_bytes, std::uint64_t number) {
  base::ensure(!bytes_.empty(), "a batch has a record");
  const auto size_of_record = [this](std::size_t at) {
    return kRecordHeaderBytes + padded(read_le<std::uint32_t>(bytes_, at + kBodySizeAt));
  };
  std::uint32_t batch_crc = 0;
  std::uint32_t ordinal = 0;
  for (std::size_t at = 0; at < bytes_.size(); at += size_of_record(at)) {
    const std::size_t size = size_of_record(at);
    const std::string_view body =
        std::string_view(bytes_).substr(at + kRecordHeaderBytes, size - kRecordHeaderBytes);
    write_le(bytes_, at + kBodyCrcAt, base::crc32c(body, place_crc(salt, offset_bytes + at)));
    write_le(bytes_, at + kBatchNumberAt, number);
    write_le(bytes_, at + kFlagsAt, at + size == bytes_.size() ? kLastOfBatch : std::uint8_t{0});
    write_le(bytes_, at + kOrdinalAt, ordinal++);
    batch_crc = extend_batch_crc(batch_crc, std::string_view(bytes_).substr(at, kRecordHeaderBytes));
  }
  for (std::size_t at = 0; at < bytes_.size(); at += size_of_record(at)) {
    write_le(bytes_, at + kBatchCrcAt, batch_crc);
    const std::string_view checked =
        std::string_view(bytes_).substr(at + kBodyCrcAt, kRecordHeaderBytes - kBodyCrcAt);
    write_le(bytes_, at + kHeaderCrcAt, base::crc32c(checked, place_crc(salt, offset_bytes + at)));
  }
  return bytes_;
}

}  // namespace parley::wal
