#include "wal/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "raft/codec.h"
#include "wal/record.h"

namespace parley::wal {
namespace {

using Checked = std::expected<void, OpenError>;

constexpr std::size_t kCopyBytes = 1024 * 1024;

// A segment file as it was found.
struct Found {
  Segment segment;
  std::string name;
  bool is_tail = false;                           // SegmentName::tail
  bool is_used = false;                           // has at least one whole batch
  bool has_garbage = false;                       // behind its last whole batch, or behind the header
  std::uint64_t end_bytes = kSegmentHeaderBytes;  // of its whole batches
};

// The newest entries that fit the budget, without a gap.
class Tail {
 public:
  explicit Tail(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(raft::Entry entry) {
    drop_from(entry.index);
    size_bytes_ += size_of(entry);
    entries_.push_back(std::move(entry));
    while (entries_.size() > 1 && size_bytes_ > max_bytes_) drop_front();
  }
  void drop_to(raft::Index index) {
    while (!entries_.empty() && entries_.front().index <= index) drop_front();
  }
  void clear() {
    entries_.clear();
    size_bytes_ = 0;
  }
  [[nodiscard]] std::vector<raft::Entry> take() {
    return {std::make_move_iterator(entries_.begin()), std::make_move_iterator(entries_.end())};
  }

 private:
  static std::size_t size_of(const raft::Entry& entry) {
    return sizeof(raft::Entry) + entry.data.size_bytes();
  }
  void drop_from(raft::Index index) {
    while (!entries_.empty() && entries_.back().index >= index) {
      size_bytes_ -= size_of(entries_.back());
      entries_.pop_back();
    }
  }
  void drop_front() {
    size_bytes_ -= size_of(entries_.front());
    entries_.pop_front();
  }

  std::size_t max_bytes_;
  std::size_t size_bytes_ = 0;
  std::deque<raft::Entry> entries_;
};

class Reader {
 public:
  Reader(FileSystem& files, std::string folder, const Options& options)
      : files_(files), folder_(std::move(folder)), tail_(options.recovered_tail_bytes) {}

  Checked read() {
    if (auto listed = list_segments(); !listed) return listed;
    for (Found& found : found_) {
      if (auto checked = read_segment(found); !checked) return checked;
    }
    return check_end();
  }

  [[nodiscard]] bool is_empty() const { return found_.empty(); }
  Checked repair();
  Recovery result();

 private:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] std::unexpected<OpenError> damaged(const std::string& name, std::uint64_t offset_bytes,
                                                   std::string what) const;
  Checked list_segments();
  Checked open_segment(Found& found);
  Checked read_segment(Found& found);
  Checked judge_rest(Found& found, std::string_view bytes);
  [[nodiscard]] Checked check_nothing_bad_before(const Found& found) const;
  Checked check_end();
  Checked apply(Found& found, const BatchView& batch);
  LogIndex::Step apply(const Found& found, const RecordView& record);
  LogIndex::Step apply_entry(const Found& found, const RecordView& record);
  LogIndex::Step apply_compaction(const Found& found, const RecordView& record);
  Checked write_last_batch_again();
  Checked drop_torn_tail(Found& found);
  Checked zero_behind(const Found& found);

  FileSystem& files_;
  std::string folder_;
  Tail tail_;
  LogIndex index_;
  std::vector<raft::ConfigurationAt> configurations_;
  std::vector<Found> found_;  // sorted by number
  std::vector<std::string> temporaries_;
  std::optional<std::uint64_t> next_batch_;  // nothing: the first batch that is met tells it
  std::size_t last_used_ = 0;                // in found_; valid once a segment is used
  bool any_used_ = false;
  std::uint64_t last_batch_at_ = 0;
  bool ends_with_seal_ = false;
  std::uint64_t compaction_segment_ = 0;
  bool dropped_ = false;
};

std::unexpected<OpenError> Reader::damaged(const std::string& name, std::uint64_t offset_bytes,
                                           std::string what) const {
  Damage damage{.file = path(name), .offset_bytes = offset_bytes, .what = std::move(what)};
  if (!index_.last().is_none()) damage.near_index = index_.last();
  return std::unexpected(OpenError{.damage = std::move(damage)});
}

Checked Reader::list_segments() {
  const auto names = files_.list(folder_);
  if (!names) return disk_failed(names.error());
  for (const std::string& name : *names) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed) continue;
    if (parsed->kind == SegmentName::temporary) {
      temporaries_.push_back(name);
      continue;
    }
    const std::uint64_t number = parsed->number;
    if (!found_.empty() && number == found_.back().segment.header.number) {
      return damaged(name, 0, "the same segment is there twice");
    }
    if (!found_.empty() && number != found_.back().segment.header.number + 1) {
      const std::uint64_t lost = found_.back().segment.header.number + 1;
      return damaged(segment_file_name(lost), 0, "the segment is missing");
    }
    Found found{.name = name, .is_tail = parsed->kind == SegmentName::tail};
    found.segment.header.number = number;
    found_.push_back(std::move(found));
  }
  // All headers before any content: of a newer format nothing is judged.
  for (Found& found : found_) {
    if (auto opened = open_segment(found); !opened) return opened;
  }
  if (!found_.empty() && found_.front().segment.header.number == 1) next_batch_ = 1;
  return {};
}

Checked Reader::open_segment(Found& found) {
  auto file = files_.open(path(found.name));
  if (!file) return disk_failed(file.error());
  const auto size_bytes = (*file)->size_bytes();
  if (!size_bytes) return disk_failed(size_bytes.error());
  const auto bytes = (*file)->read_at(0, kSegmentHeaderBytes);
  if (!bytes) return disk_failed(bytes.error());
  const auto header = decode_segment_header(*bytes);
  if (!header) {
    if (header.error().newer_version) {
      return std::unexpected(OpenError{
          .newer = NewerFormat{.file = path(found.name), .version = *header.error().newer_version}});
    }
    return damaged(found.name, 0, header.error().what);
  }
  if (header->number != found.segment.header.number) {
    return damaged(found.name, 0, fmt::format("the file's content is segment {}", header->number));
  }
  if (header->incarnation != found_.front().segment.header.incarnation && &found != &found_.front()) {
    return damaged(found.name, 0, "the segment belongs to another log");
  }
  if (header->size_bytes != *size_bytes) {
    return damaged(
        found.name, *size_bytes,
        fmt::format("the file was made with {} bytes and has {}", header->size_bytes, *size_bytes));
  }
  found.segment = {.header = *header, .file = std::move(*file)};
  return {};
}

Checked Reader::read_segment(Found& found) {
  const auto bytes =
      found.segment.file->read_at(0, static_cast<std::size_t>(found.segment.header.size_bytes));
  if (!bytes) return disk_failed(bytes.error());
  if (bytes->size() != found.segment.header.size_bytes) {
    return damaged(found.name, bytes->size(), "the file became shorter while it was read");
  }
  while (const auto batch = read_batch(*bytes, found.end_bytes, found.segment.header.salt, next_batch_)) {
    if (!found.is_used) {
      if (auto first = check_nothing_bad_before(found); !first) return first;
    }
    if (!found.is_used && any_used_ &&
        found_[last_used_].segment.header.number + 1 != found.segment.header.number) {
      return damaged(found_[last_used_ + 1].name, kSegmentHeaderBytes, "the segment has lost its batches");
    }
    if (auto applied = apply(found, *batch); !applied) return applied;
    last_batch_at_ = found.end_bytes;
    found.end_bytes = batch->end_bytes;
    found.is_used = true;
    any_used_ = true;
    last_used_ = static_cast<std::size_t>(&found - found_.data());
    next_batch_ = batch->number + 1;
  }
  return judge_rest(found, *bytes);
}

// Only one place can be torn: where the newest batch was being written. That is the first segment with
// garbage; behind it everything must be as it was made.
Checked Reader::check_nothing_bad_before(const Found& found) const {
  for (const Found& earlier : found_) {
    if (&earlier == &found) break;
    if (earlier.has_garbage) {
      return damaged(earlier.name, earlier.end_bytes,
                     fmt::format("a batch is damaged, and {} holds later ones", found.name));
    }
  }
  return {};
}

// What lies behind the last whole batch. Zeros: the end, or a batch that begins in the next segment. Else one
// batch may be torn, the newest of all; any sign of a newer one proves that it was synced.
Checked Reader::judge_rest(Found& found, std::string_view bytes) {
  if (!next_batch_) {
    return damaged(found.name, found.end_bytes, "the oldest segment has lost its first batch");
  }
  found.has_garbage = !is_all_zero(bytes.substr(static_cast<std::size_t>(found.end_bytes)));
  if (found.has_garbage) {
    if (auto first = check_nothing_bad_before(found); !first) return first;
  }
  if (found.has_garbage &&
      has_record_from_batch(bytes, found.end_bytes, found.segment.header.salt, *next_batch_ + 1)) {
    return damaged(found.name, found.end_bytes,
                   fmt::format("batch {} is damaged, later ones are there", *next_batch_));
  }
  return {};
}

Checked Reader::check_end() {
  if (found_.empty()) return {};
  const std::uint64_t newest = found_.back().segment.header.number;
  if (!any_used_) {
    // The log was being made: segments 1 and 2, then the first batch.
    const std::size_t made = found_.size();
    if (found_.front().segment.header.number != 1 || made > 2 || (made == 2 && found_[1].has_garbage)) {
      return damaged(found_.front().name, kSegmentHeaderBytes, "the log has lost its batches");
    }
    return {};
  }
  if (newest == found_[last_used_].segment.header.number) {
    // A segment is used only once the next one is in place.
    return damaged(segment_file_name(newest + 1), 0, "the segment is missing");
  }
  for (std::size_t i = last_used_ + 2; i < found_.size(); ++i) {
    if (found_[i].has_garbage) {
      return damaged(found_[i].name, found_[i].end_bytes, "an unused segment is not empty");
    }
  }
  if (const auto missing = index_.missing()) {
    return damaged(found_.front().name, kSegmentHeaderBytes,
                   fmt::format("entry {} and those after it are missing", missing->value()));
  }
  return {};
}

Checked Reader::apply(Found& found, const BatchView& batch) {
  const bool starts_segment = !found.is_used;
  for (const RecordView& record : batch.records) {
    const bool is_start = record.type == RecordType::segment_start;
    if (is_start != (starts_segment && record.ordinal == 0)) {
      return damaged(found.name, record.offset_bytes, "a segment that does not begin with its start record");
    }
    if (auto applied = apply(found, record); !applied) {
      return damaged(found.name, record.offset_bytes, applied.error());
    }
  }
  ends_with_seal_ = batch.records.back().type == RecordType::seal;
  return {};
}

LogIndex::Step Reader::apply(const Found& found, const RecordView& record) {
  switch (record.type) {
    case RecordType::segment_start: {
      const auto start = decode_segment_start(record.body);
      if (!start) return std::unexpected(start.error());
      if (&found == &found_.front()) {
        // Nothing was deleted before segment 1, so nothing can have been before it.
        if (found.segment.header.number == 1 && *start != SegmentStart{}) {
          return std::unexpected("the first segment does not begin with an empty log");
        }
        compaction_segment_ = found.segment.header.number;
      }
      return index_.start_segment(*start, &found == &found_.front());
    }
    case RecordType::hard_state: {
      const auto hard_state = decode_hard_state(record.body);
      if (!hard_state) return std::unexpected(hard_state.error());
      return index_.set_hard_state(*hard_state);
    }
    case RecordType::entry:
      return apply_entry(found, record);
    case RecordType::compaction:
      return apply_compaction(found, record);
    case RecordType::peers_stored: {
      auto peers = decode_peers_stored(record.body);
      if (!peers) return std::unexpected(peers.error());
      index_.set_peers_stored(std::move(*peers));
      return {};
    }
    case RecordType::seal:
      if (!record.body.empty() || !record.is_last_of_batch)
        return std::unexpected("a seal that makes no sense");
      return {};
  }
  return std::unexpected("a record of an unknown type");
}

LogIndex::Step Reader::apply_entry(const Found& found, const RecordView& record) {
  auto entry = decode_entry(record);
  if (!entry) return std::unexpected(entry.error());
  if (auto added = index_.add_entry({.index = entry->index,
                                     .term = entry->term,
                                     .segment = found.segment.header.number,
                                     .offset_bytes = record.offset_bytes,
                                     .end_bytes = record.end_bytes});
      !added) {
    return added;
  }
  std::erase_if(configurations_, [&](const raft::ConfigurationAt& at) { return at.index >= entry->index; });
  if (entry->kind == raft::EntryKind::configuration) {
    auto configuration = raft::decode_configuration(entry->data.view());
    if (!configuration) return std::unexpected(configuration.error());
    configurations_.push_back({.index = entry->index, .configuration = std::move(*configuration)});
  } else if (entry->kind == raft::EntryKind::founding) {
    auto founding = raft::decode_founding(entry->data.view());
    if (!founding) return std::unexpected(founding.error());
    configurations_.push_back({.index = entry->index, .configuration = std::move(founding->configuration)});
  }
  tail_.add(std::move(*entry));
  return {};
}

LogIndex::Step Reader::apply_compaction(const Found& found, const RecordView& record) {
  const auto compaction = decode_compaction(record.body);
  if (!compaction) return std::unexpected(compaction.error());
  if (auto compacted = index_.compact(*compaction); !compacted) return compacted;
  if (compaction->resets_log) {
    tail_.clear();
    configurations_.clear();
  }
  tail_.drop_to(compaction->point.index);
  std::erase_if(configurations_,
                [&](const raft::ConfigurationAt& at) { return at.index <= compaction->point.index; });
  compaction_segment_ = found.segment.header.number;
  return {};
}

// Nothing before this changed the disk. A crash at any step leaves a log that recovers to the same content.
Checked Reader::repair() {
  for (const std::string& name : temporaries_) {
    if (auto removed = files_.remove(path(name)); !removed) return disk_failed(removed.error());
  }
  // A rename or a removal of the last life may have been seen by us and not yet be durable.
  if (auto synced = files_.sync_folder(folder_); !synced) return disk_failed(synced.error());
  for (Found& found : found_) {
    if (!found.is_tail && !found.has_garbage) continue;
    if (auto dropped = drop_torn_tail(found); !dropped) return dropped;
  }
  return write_last_batch_again();
}

// After a failed fdatasync the kernel takes the pages for clean: the batch that was just read may be in
// memory alone, and a sync would write nothing. The batches before it were synced before it was written.
Checked Reader::write_last_batch_again() {
  if (!any_used_) return {};
  const Found& found = found_[last_used_];
  for (std::uint64_t at = last_batch_at_; at < found.end_bytes;) {
    const auto bytes =
        found.segment.file->read_at(at, std::min<std::uint64_t>(kCopyBytes, found.end_bytes - at));
    if (!bytes) return disk_failed(bytes.error());
    if (bytes->empty()) return damaged(found.name, at, "the file became shorter while it was read");
    if (auto written = found.segment.file->write_at(at, *bytes); !written)
      return disk_failed(written.error());
    at += bytes->size();
  }
  if (auto synced = found.segment.file->sync_data(); !synced) return disk_failed(synced.error());
  return {};
}

// The zeros must be durable before the place is used again. If their sync fails they stay in the kernel's
// memory alone, and the next recovery sees no garbage: so the name keeps it in mind until they are. A power
// failure may undo either rename: the first together with the zeros, so that the garbage is seen again; the
// second at the cost of zeros that are written once more.
Checked Reader::drop_torn_tail(Found& found) {
  const std::uint64_t number = found.segment.header.number;
  const std::string in_place = path(segment_file_name(number));
  const std::string tail = path(segment_file_name(number, SegmentName::tail));
  if (!found.is_tail) {
    if (auto renamed = files_.rename(in_place, tail); !renamed) return disk_failed(renamed.error());
  }
  if (auto zeroed = zero_behind(found); !zeroed) return zeroed;
  if (auto renamed = files_.rename(tail, in_place); !renamed) return disk_failed(renamed.error());
  found.name = segment_file_name(number);
  dropped_ = true;
  return {};
}

Checked Reader::zero_behind(const Found& found) {
  const std::string zeros(std::min<std::uint64_t>(kCopyBytes, found.segment.header.size_bytes), '\0');
  for (std::uint64_t at = found.end_bytes; at < found.segment.header.size_bytes;) {
    const auto part = std::string_view(zeros).substr(
        0, std::min<std::uint64_t>(zeros.size(), found.segment.header.size_bytes - at));
    if (auto written = found.segment.file->write_at(at, part); !written) return disk_failed(written.error());
    at += part.size();
  }
  if (auto synced = found.segment.file->sync_data(); !synced) return disk_failed(synced.error());
  return {};
}

Recovery Reader::result() {
  Recovery recovery{.log = {.hard_state = index_.hard_state(),
                            .compaction = index_.compaction(),
                            .last = index_.last(),
                            .terms = index_.terms(),
                            .configurations = std::move(configurations_),
                            .entries = tail_.take()},
                    .next_batch_number = next_batch_.value_or(1),
                    .compaction_segment = compaction_segment_,
                    .ends_with_seal = ends_with_seal_,
                    .dropped_torn_tail = dropped_};
  for (Found& found : found_) {
    if (found.is_used) {
      recovery.end_bytes = found.end_bytes;
      recovery.used.emplace(found.segment.header.number, std::move(found.segment));
    } else {
      recovery.unused.push_back(std::move(found.segment));
    }
  }
  recovery.index = std::move(index_);
  return recovery;
}

}  // namespace

std::expected<std::optional<Recovery>, OpenError> recover(FileSystem& files, const std::string& folder,
                                                          const Options& options) {
  Reader reader(files, folder, options);
  if (auto read = reader.read(); !read) return std::unexpected(read.error());
  if (auto repaired = reader.repair(); !repaired) return std::unexpected(repaired.error());
  if (reader.is_empty()) return std::optional<Recovery>();
  return reader.result();
}

}  // namespace parley::wal
