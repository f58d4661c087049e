// Segment files: their names, and the SegmentMaker that makes them ahead of use. Owned by: Log.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "wal/file_system.h"
#include "wal/record.h"

namespace parley::wal {

enum class SegmentName : std::uint8_t {
  in_place,  // NUMBER.log
  tail,  // NUMBER.tail: recovery is dropping a torn tail of it; what lies behind its last batch is not zero
         // for sure
  temporary,  // NUMBER.tmp: being made, never used
};

struct SegmentFileName {
  std::uint64_t number = 0;
  SegmentName kind = SegmentName::in_place;
};

[[nodiscard]] std::string segment_file_name(std::uint64_t number, SegmentName kind = SegmentName::in_place);
// Nothing: a file that is none of the log's.
[[nodiscard]] std::optional<SegmentFileName> parse_segment_file_name(std::string_view name);

struct Segment {
  SegmentHeader header;
  std::shared_ptr<File> file;
};

// Makes zero-filled segments: written, synced, renamed into place, folder synced. With a thread of its own,
// or without (the caller of ready() then does the work). want, ready and take: the disk thread.
class SegmentMaker {
 public:
  struct Settings {
    std::string folder;
    raft::Incarnation incarnation;
    std::uint64_t seed = 0;
    std::uint64_t largest_size_bytes = 0;
    bool in_thread = true;
  };

  // `next_number`: the first segment that is not in place yet.
  SegmentMaker(FileSystem& files, Settings settings, std::uint64_t next_number);
  SegmentMaker(const SegmentMaker&) = delete;
  SegmentMaker& operator=(const SegmentMaker&) = delete;
  ~SegmentMaker();

  // A segment that recovery found in place and unused.
  void adopt(Segment segment);
  // Starts to make all up to `number`, if there is a thread.
  void want(std::uint64_t number);
  // All up to `number` are in place, or an error.
  [[nodiscard]] DiskResult<void> ready(std::uint64_t number);
  // The unused segment `number`, which is ready, remade if it is smaller than `size_bytes`.
  [[nodiscard]] DiskResult<Segment> take(std::uint64_t number, std::uint64_t size_bytes);

 private:
  void run();
  [[nodiscard]] std::uint64_t usual_size_bytes(std::uint64_t number) const;
  [[nodiscard]] DiskResult<Segment> make(std::uint64_t number, std::uint64_t size_bytes);
  [[nodiscard]] DiskResult<void> fill(File& file, const SegmentHeader& header) const;
  [[nodiscard]] bool is_stopping() const;

  FileSystem& files_;
  const Settings settings_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Segment> unused_;
  std::uint64_t next_number_;
  std::uint64_t wanted_number_ = 0;
  std::uint64_t salts_made_ = 0;
  bool is_making_ = false;
  bool stops_ = false;
  std::optional<DiskError> error_;  // of the thread; ready() tells it
  std::thread thread_;
};

}  // namespace parley::wal
