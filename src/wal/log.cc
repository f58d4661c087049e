#include "wal/log.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <random>
#include <ranges>
#include <utility>

#include "base/ensure.h"
#include "raft/codec.h"
#include "wal/log_index.h"
#include "wal/record.h"
#include "wal/recovery.h"
#include "wal/segment.h"

namespace parley::wal {
namespace {

// Room that entries leave in every segment: on a full disk the compaction that frees space, a vote and a seal
// still find a place.
constexpr std::uint64_t kReserveBytes = 1024;

// What recovery would refuse to read must never be written.
void ensure_readable(const raft::Entry& entry) {
  if (entry.kind == raft::EntryKind::configuration) {
    base::ensure(raft::decode_configuration(entry.data.view()).has_value(),
                 "a configuration entry is readable");
  } else if (entry.kind == raft::EntryKind::founding) {
    base::ensure(raft::decode_founding(entry.data.view()).has_value(), "a founding entry is readable");
  }
}

}  // namespace

struct Log::State {
  State(FileSystem& file_system, std::string folder_path, const Options& options,
        std::unique_ptr<FolderLock> folder_lock, raft::Incarnation incarnation, std::uint64_t next_segment)
      : files(file_system),
        folder(std::move(folder_path)),
        lock(std::move(folder_lock)),
        maker(file_system,
              {.folder = folder,
               .incarnation = incarnation,
               .seed = options.seed,
               .largest_size_bytes = options.segment_size_bytes,
               .in_thread = options.prepares_in_thread},
              next_segment) {}

  enum class Room : std::uint8_t { leaves_reserve, uses_reserve };

  void begin_batch();
  void add_hard_state(const raft::HardState& hard_state);
  void add_entry(const raft::Entry& entry);
  [[nodiscard]] raft::Index last() const { return entries.empty() ? index.last() : entries.back().index; }
  [[nodiscard]] std::optional<raft::Term> term_at(raft::Index at) const;
  [[nodiscard]] DiskResult<void> store(Room room);
  [[nodiscard]] DiskResult<void> seal();
  [[nodiscard]] DiskResult<void> write_batch(Room room);
  [[nodiscard]] DiskResult<void> next_segment();
  void commit();
  [[nodiscard]] DiskResult<void> delete_covered();
  [[nodiscard]] DiskResult<void> sync_deletion();
  [[nodiscard]] DiskError unreadable(std::uint64_t segment) const {
    return {.operation = "read a record that is damaged in",
            .path = folder + "/" + segment_file_name(segment),
            .errno_value = EIO};
  }

  FileSystem& files;
  const std::string folder;
  const std::unique_ptr<FolderLock> lock;

  // The batch that is being made. Of the disk thread, like all down to `mutex`.
  BatchBuilder batch;
  std::vector<EntryPlace> entries;  // offsets from the batch's first byte
  std::optional<raft::HardState> hard_state;
  std::optional<Compaction> compaction;
  bool is_seal = false;

  std::optional<std::vector<PeerStored>> remembered;  // to be stored with the next batch
  Segment current;                                    // number 0: none yet
  std::uint64_t end_bytes = 0;                        // of what is used in it
  std::uint64_t next_batch_number = 1;
  std::uint64_t compaction_segment = 0;  // holds the newest compaction record
  bool ends_with_seal = false;
  bool deletion_is_unsynced = false;  // of the last segment that was deleted
  std::optional<DiskError> error;     // the log must not be used again
  std::atomic<std::uint64_t> syncs = 0;

  // What readers share. The disk thread alone changes it, and so reads it without the mutex.
  mutable std::mutex mutex;
  LogIndex index;
  std::map<std::uint64_t, Segment> segments;  // used ones, by number

  SegmentMaker maker;  // the last member: its thread ends before anything else goes
};

void Log::State::begin_batch() {
  batch.clear();
  entries.clear();
  hard_state.reset();
  compaction.reset();
  is_seal = false;
}

void Log::State::add_hard_state(const raft::HardState& next) {
  const raft::HardState& before = hard_state ? *hard_state : index.hard_state();
  base::ensure(next.term >= before.term, "terms are stored in ascending order");
  hard_state = next;
}

std::optional<raft::Term> Log::State::term_at(raft::Index at) const {
  for (const EntryPlace& entry : std::views::reverse(entries)) {
    if (entry.index == at) return entry.term;
  }
  return index.term_at(at);
}

// What recovery would refuse must never be written: checked here, not after.
void Log::State::add_entry(const raft::Entry& entry) {
  base::ensure(entry.index <= last().next() && entry.index > index.compaction().index,
               "an entry continues the log, or overrides what is not compacted");
  const auto term_before = term_at(raft::Index(entry.index.value() - 1));
  base::ensure(!entry.term.is_none() && (!term_before || entry.term >= *term_before),
               "terms of entries ascend");
  ensure_readable(entry);
  const std::size_t at = batch.add(entry);
  entries.push_back(
      {.index = entry.index, .term = entry.term, .offset_bytes = at, .end_bytes = batch.size_bytes()});
}

DiskResult<void> Log::State::seal() {
  if (ends_with_seal) return {};
  begin_batch();
  is_seal = true;
  return store(Room::uses_reserve);
}

DiskResult<void> Log::State::store(Room room) {
  if (error) return std::unexpected(*error);
  if (compaction) batch.add(RecordType::compaction, encode(*compaction));
  if (remembered && *remembered == index.peers_stored()) remembered.reset();
  if (remembered) batch.add(RecordType::peers_stored, encode(*remembered));
  if (is_seal) batch.add(RecordType::seal, {});
  if (auto written = write_batch(room); !written) {
    error = written.error();
    return written;
  }
  commit();
  return {};
}

// One write and one fdatasync.
DiskResult<void> Log::State::write_batch(Room room) {
  const std::uint64_t reserve_bytes = room == Room::leaves_reserve ? kReserveBytes : 0;
  if (current.header.size_bytes < end_bytes + batch.size_bytes() + reserve_bytes) {
    const std::size_t size_before = batch.size_bytes();
    batch.begin_segment(index.segment_start());
    const std::size_t shift = batch.size_bytes() - size_before;
    for (EntryPlace& entry : entries) {
      entry.offset_bytes += shift;
      entry.end_bytes += shift;
    }
    if (auto next = next_segment(); !next) return next;
  }
  const std::string_view bytes = batch.finish(current.header.salt, end_bytes, next_batch_number);
  if (auto written = current.file->write_at(end_bytes, bytes); !written) return written;
  if (auto synced = current.file->sync_data(); !synced) return synced;
  ++syncs;
  return {};
}

// A segment gets its first batch only once the one after it is in place: so a segment that is lost at the end
// of the log is noticed like any other.
DiskResult<void> Log::State::next_segment() {
  const std::uint64_t number = current.header.number + 1;
  if (auto ready = maker.ready(number + 1); !ready) return ready;
  auto segment = maker.take(number, kSegmentHeaderBytes + batch.size_bytes() + kReserveBytes);
  if (!segment) return std::unexpected(segment.error());
  current = std::move(*segment);
  end_bytes = kSegmentHeaderBytes;
  return {};
}

// The batch is on stable storage: it becomes the log's content.
void Log::State::commit() {
  const std::scoped_lock guard(mutex);
  // Not before the batch is stored: a log in the making has two segments and no more.
  if (segments.try_emplace(current.header.number, current).second) maker.want(current.header.number + 2);
  bool follows = !hard_state || index.set_hard_state(*hard_state).has_value();
  for (EntryPlace& entry : entries) {
    entry.segment = current.header.number;
    entry.offset_bytes += end_bytes;
    entry.end_bytes += end_bytes;
    follows = follows && index.add_entry(entry).has_value();
  }
  if (compaction) {
    follows = follows && index.compact(*compaction).has_value();
    compaction_segment = current.header.number;
  }
  base::ensure(follows, "a stored batch continues the log");
  if (remembered) index.set_peers_stored(std::move(*remembered));
  remembered.reset();
  end_bytes += batch.size_bytes();
  ++next_batch_number;
  ends_with_seal = is_seal;
}

// Oldest first, each gone for sure before the next: what is left is always the end of the log without a gap,
// and an overridden suffix goes before what overrides it. Where the folder cannot be opened for want of a
// descriptor, the next compaction goes on from there.
DiskResult<void> Log::State::delete_covered() {
  if (auto synced = sync_deletion(); !synced || deletion_is_unsynced) return synced;
  while (segments.begin()->first < compaction_segment) {
    const std::uint64_t number = segments.begin()->first;
    const auto oldest = index.oldest_segment();
    if (oldest && *oldest <= number) break;
    {
      const std::scoped_lock guard(mutex);
      segments.erase(number);
    }
    if (auto removed = files.remove(folder + "/" + segment_file_name(number)); !removed) return removed;
    deletion_is_unsynced = true;
    if (auto synced = sync_deletion(); !synced || deletion_is_unsynced) return synced;
  }
  return {};
}

DiskResult<void> Log::State::sync_deletion() {
  if (!deletion_is_unsynced) return {};
  auto synced = files.sync_folder(folder);
  deletion_is_unsynced = !synced;
  if (!synced && synced.error().is_out_of_descriptors()) return {};
  return synced;
}

std::expected<Log::Opened, OpenError> Log::open(FileSystem& files, std::string folder, Options options) {
  if (auto made = make_durable_folder(files, folder); !made) return disk_failed(made.error());
  auto lock = files.lock_folder(folder);
  if (!lock) return disk_failed(lock.error());
  auto recovery = recover(files, folder, options);
  if (!recovery) return std::unexpected(recovery.error());

  Recovered recovered{.is_new = !recovery->has_value()};
  std::uint64_t segments_in_place = 0;
  if (recovered.is_new) {
    std::mt19937_64 random(options.seed);
    recovered.incarnation = raft::Incarnation(std::max<std::uint64_t>(random(), 1));
    recovery->emplace();
  } else {
    const Recovery& found = **recovery;
    const SegmentHeader& header =
        found.used.empty() ? found.unused.front().header : found.used.begin()->second.header;
    recovered.incarnation = header.incarnation;
    segments_in_place = header.number - 1 + found.used.size() + found.unused.size();
  }
  Recovery& found = **recovery;
  auto state = std::make_unique<State>(files, std::move(folder), options, std::move(*lock),
                                       recovered.incarnation, segments_in_place + 1);
  for (Segment& segment : found.unused) state->maker.adopt(std::move(segment));
  if (!found.used.empty()) {
    state->current = found.used.rbegin()->second;
    state->end_bytes = found.end_bytes;
  }
  state->next_batch_number = found.next_batch_number;
  state->compaction_segment = found.compaction_segment;
  state->ends_with_seal = found.ends_with_seal;
  state->index = std::move(found.index);
  state->segments = std::move(found.used);
  if (state->segments.empty()) {
    if (auto begun = state->seal(); !begun) return disk_failed(begun.error());
  }
  state->maker.want(state->current.header.number + 2);
  recovered.log = std::move(found.log);
  recovered.live_state_file = state->index.live_state_file();
  recovered.peers_stored = state->index.peers_stored();
  recovered.dropped_torn_tail = found.dropped_torn_tail;
  return Opened{.log = Log(std::move(state)), .recovered = std::move(recovered)};
}

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {}
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;
Log::~Log() = default;

DiskResult<void> Log::append(const raft::StorageBatch& batch) { return append_all(std::span(&batch, 1)); }

// One batch on disk for all of them: it is torn or whole as one, so that among batches the rule holds that
// each is synced before the next is written.
DiskResult<void> Log::append_all(std::span<const raft::StorageBatch> batches) {
  if (state_->error) return std::unexpected(*state_->error);
  state_->begin_batch();
  for (const raft::StorageBatch& batch : batches) {
    if (batch.hard_state) state_->add_hard_state(*batch.hard_state);
  }
  if (state_->hard_state) state_->batch.add(RecordType::hard_state, encode(*state_->hard_state));
  for (const raft::StorageBatch& batch : batches) {
    for (const raft::Entry& entry : batch.entries) state_->add_entry(entry);
  }
  if (state_->batch.empty()) return {};
  return state_->store(state_->entries.empty() ? State::Room::uses_reserve : State::Room::leaves_reserve);
}

DiskResult<void> Log::seal() { return state_->seal(); }

DiskResult<void> Log::compact(const raft::CompactionPoint& point, const std::string& live_state_file) {
  State& state = *state_;
  if (state.error) return std::unexpected(*state.error);
  const raft::CompactionPoint& before = state.index.compaction();
  base::ensure(!point.index.is_none() && !point.term.is_none(), "a compaction point is an entry's place");
  base::ensure(point.index > before.index || (point.index == before.index && point.term == before.term),
               "compaction points never go backwards");
  if (point != before || live_state_file != state.index.live_state_file()) {
    state.begin_batch();
    state.compaction = Compaction{.resets_log = state.index.term_at(point.index) != point.term,
                                  .point = point,
                                  .live_state_file = live_state_file};
    if (auto stored = state.store(State::Room::uses_reserve); !stored) return stored;
  }
  auto deleted = state.delete_covered();
  if (!deleted) state.error = deleted.error();
  return deleted;
}

void Log::remember(std::vector<PeerStored> peers) { state_->remembered = std::move(peers); }

DiskResult<std::vector<raft::Entry>> Log::read(raft::Index first, std::size_t max_size_bytes) const {
  std::vector<Extent> extents;
  std::vector<Segment>
      segments;  // of each extent; the files stay readable even if they are deleted meanwhile
  {
    const std::scoped_lock guard(state_->mutex);
    extents = state_->index.locate(first, max_size_bytes);
    for (const Extent& extent : extents) segments.push_back(state_->segments.at(extent.segment));
  }
  std::vector<raft::Entry> entries;
  std::size_t size_bytes = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const Extent& extent = extents[i];
    const auto bytes = segments[i].file->read_at(extent.offset_bytes, extent.end_bytes - extent.offset_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    std::uint64_t at = 0;
    for (raft::Index next = extent.first; next <= extent.last;) {
      const auto record = read_record(*bytes, at, segments[i].header.salt, extent.offset_bytes);
      if (!record) return std::unexpected(state_->unreadable(extent.segment));
      at = record->end_bytes;
      if (record->type != RecordType::entry) continue;
      auto entry = decode_entry(*record);
      if (!entry || entry->index != next) return std::unexpected(state_->unreadable(extent.segment));
      next = next.next();
      if (entry->index < first) continue;
      size_bytes += entry->data.size_bytes();
      if (!entries.empty() && size_bytes > max_size_bytes) return entries;
      entries.push_back(std::move(*entry));
    }
  }
  return entries;
}

std::uint64_t Log::sync_count() const { return state_->syncs; }

}  // namespace parley::wal
