// What a log must hold, kept in the simplest way: the tests compare with it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "log_testing.h"

namespace parley::wal {

struct Model {
  raft::HardState hard_state;
  raft::CompactionPoint compaction;
  std::string live_state_file;
  std::vector<raft::Entry> entries;  // after the compaction point

  bool operator==(const Model&) const = default;

  [[nodiscard]] raft::Index last() const { return entries.empty() ? compaction.index : entries.back().index; }

  void apply(const raft::StorageBatch& batch) {
    if (batch.hard_state) hard_state = *batch.hard_state;
    for (const raft::Entry& entry : batch.entries) {
      std::erase_if(entries, [&](const raft::Entry& old) { return old.index >= entry.index; });
      entries.push_back(entry);
    }
  }

  void compact(const raft::CompactionPoint& point, const std::string& file) {
    const bool has_it = point == compaction || std::ranges::any_of(entries, [&](const raft::Entry& entry) {
                          return entry.index == point.index && entry.term == point.term;
                        });
    std::erase_if(entries, [&](const raft::Entry& entry) { return !has_it || entry.index <= point.index; });
    compaction = point;
    live_state_file = file;
  }
};

inline std::ostream& operator<<(std::ostream& out, const Model& model) {
  out << "term " << model.hard_state.term.value() << ", compacted to " << model.compaction.index.value()
      << ", entries";
  for (const raft::Entry& entry : model.entries)
    out << ' ' << entry.index.value() << '/' << entry.term.value();
  return out;
}

// What an opened log holds. Checks besides that all it says of itself is one story.
inline Model content_of(const Log& log, const Recovered& recovered) {
  Model model{.hard_state = recovered.log.hard_state,
              .compaction = recovered.log.compaction,
              .live_state_file = recovered.live_state_file,
              .entries = read_all(log, recovered.log)};
  EXPECT_EQ(model.last(), recovered.log.last);
  const std::vector<raft::Entry>& tail = recovered.log.entries;
  EXPECT_LE(tail.size(), model.entries.size());
  EXPECT_TRUE(std::ranges::equal(tail.rbegin(), tail.rend(), model.entries.rbegin(),
                                 model.entries.rbegin() + static_cast<std::ptrdiff_t>(tail.size())));
  std::vector<raft::TermRun> terms;
  std::vector<raft::ConfigurationAt> configurations;
  for (const raft::Entry& entry : model.entries) {
    if (terms.empty() || terms.back().term != entry.term) {
      terms.push_back({.first = entry.index, .term = entry.term});
    }
    if (entry.kind == raft::EntryKind::configuration) {
      configurations.push_back(
          {.index = entry.index, .configuration = raft::decode_configuration(entry.data.view()).value()});
    }
  }
  EXPECT_EQ(recovered.log.terms, terms);
  EXPECT_EQ(recovered.log.configurations, configurations);
  return model;
}

// The files of a disk, to begin again from.
using Image = std::map<std::string, std::string>;

inline Image image_of(const sim::FaultyFileSystem& disk) {
  Image image;
  for (const std::string& path : disk.files()) image[path] = disk.content(path);
  return image;
}

inline void put_image(sim::FaultyFileSystem& disk, const Image& image) {
  make_data_folder(disk);
  for (const auto& [path, content] : image) disk.set_content(path, content);
}

// A log of a few small segments with everything in it: votes, overrides, configurations, compactions that
// deleted segments, larger and smaller batches. The last batch is not a seal.
struct SmallLog {
  Image image;
  std::vector<Model> history;  // after each batch, oldest first
};

inline SmallLog make_small_log() {
  SmallLog made;
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  Model model;
  {
    auto [log, recovered] =
        must_open(disk, {.segment_size_bytes = 4096, .seed = 5, .prepares_in_thread = false});
    made.history.push_back(model);
    const auto store = [&](const raft::StorageBatch& stored) {
      ASSERT_TRUE(log.append(stored));
      model.apply(stored);
      made.history.push_back(model);
    };
    const auto compact = [&](const raft::CompactionPoint& at, const std::string& file) {
      ASSERT_TRUE(log.compact(at, file));
      model.compact(at, file);
      made.history.push_back(model);
    };
    store({.hard_state = raft::HardState{.term = raft::Term(1)}, .entries = {configuration_entry(1, 1, 3)}});
    for (std::uint64_t index = 2; index <= 12; ++index) {
      store(batch({entry(index, 1, std::string(400, static_cast<char>('a' + index)))}));
    }
    store(vote(2, 3));
    store(batch({entry(10, 2, "ten"), entry(11, 2, "eleven")}));
    compact(point(9, 1), "state-2.db");
    for (std::uint64_t index = 12; index <= 20; ++index) {
      store(batch({entry(index, 2, std::string(300, 'z')), entry(index + 1, 2, "soon overridden")}));
    }
    store(batch({configuration_entry(21, 2, 5)}));
    store(batch({entry(22, 2, std::string(100, 'q')), entry(23, 2, "last but one"), entry(24, 2, "last")}));
  }
  made.image = image_of(disk);
  return made;
}

}  // namespace parley::wal
