// What the tests of the log share: short ways to make entries and batches, and to read a log whole.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "raft/codec.h"
#include "sim/faulty_file_system.h"
#include "wal/log.h"

namespace parley::wal {

inline constexpr std::uint64_t kSmallSegmentBytes = 8192;

inline raft::Member member(std::uint32_t id) {
  return {.id = raft::NodeId(id), .incarnation = raft::Incarnation(id * 1000ULL)};
}

inline raft::Configuration configuration(std::uint32_t members) {
  raft::Configuration made;
  for (std::uint32_t id = 1; id <= members; ++id) made.voters.push_back(member(id));
  return made;
}

inline raft::Entry entry(std::uint64_t index, std::uint64_t term, std::string data) {
  return {.index = raft::Index(index), .term = raft::Term(term), .data = raft::Payload(std::move(data))};
}

inline raft::Entry configuration_entry(std::uint64_t index, std::uint64_t term, std::uint32_t members) {
  return {.index = raft::Index(index),
          .term = raft::Term(term),
          .kind = raft::EntryKind::configuration,
          .data = raft::Payload(raft::encode(configuration(members)))};
}

inline raft::StorageBatch batch(std::vector<raft::Entry> entries) { return {.entries = std::move(entries)}; }

inline raft::StorageBatch vote(std::uint64_t term, std::uint32_t member_id) {
  return {.hard_state = raft::HardState{.term = raft::Term(term), .voted_for = member(member_id)}};
}

inline raft::CompactionPoint point(std::uint64_t index, std::uint64_t term, std::uint32_t members = 3) {
  return {.index = raft::Index(index), .term = raft::Term(term), .configuration = configuration(members)};
}

inline Options small_options(std::uint64_t seed = 1) {
  return {.segment_size_bytes = kSmallSegmentBytes, .seed = seed, .prepares_in_thread = false};
}

inline const std::string kFolder = "data/log";

// A folder that is durable, as the node's data folder is.
inline void make_data_folder(FileSystem& files) {
  ASSERT_TRUE(files.make_folder("data"));
  ASSERT_TRUE(files.sync_folder("."));
}

inline Log::Opened must_open(FileSystem& files, const Options& options = small_options()) {
  auto opened = Log::open(files, kFolder, options);
  if (!opened) {
    ADD_FAILURE() << opened.error().describe();
    std::abort();
  }
  return std::move(*opened);
}

// Every entry after the compaction point, read in small pieces.
inline std::vector<raft::Entry> read_all(const Log& log, const raft::RecoveredLog& recovered) {
  std::vector<raft::Entry> all;
  for (raft::Index next = recovered.compaction.index.next(); next <= recovered.last;) {
    auto part = log.read(next, 300);
    if (!part || part->empty()) {
      ADD_FAILURE() << "entry " << next.value() << " is not there"
                    << (part ? std::string() : ": " + part.error().describe());
      break;
    }
    next = part->back().index.next();
    all.insert(all.end(), std::make_move_iterator(part->begin()), std::make_move_iterator(part->end()));
  }
  return all;
}

}  // namespace parley::wal
