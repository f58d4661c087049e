// The log when nothing goes wrong, on the real file system and on the one in memory.
#include "wal/log.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <filesystem>
#include <thread>
#include <utility>

#include "log_testing.h"

namespace parley::wal {
namespace {

class LogOnDisk : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] std::string folder() const { return (root_ / "log").string(); }
  Log::Opened open(const Options& options = {.segment_size_bytes = 256 * 1024, .seed = 4}) {
    auto opened = Log::open(*files_, folder(), options);
    EXPECT_TRUE(opened) << opened.error().describe();
    return std::move(*opened);
  }

  const std::filesystem::path root_ = std::filesystem::path(testing::TempDir()) /
                                      ("parley-log-" + std::to_string(::getpid()) + "-" +
                                       testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
};

TEST_F(LogOnDisk, brings_back_what_was_stored) {
  raft::Incarnation incarnation;
  std::vector<raft::Entry> stored;
  {
    auto [log, recovered] = open();
    EXPECT_TRUE(recovered.is_new);
    EXPECT_FALSE(recovered.incarnation.is_none());
    EXPECT_EQ(recovered.log, raft::RecoveredLog{});
    incarnation = recovered.incarnation;
    ASSERT_TRUE(log.append(vote(3, 2)));
    for (std::uint64_t index = 1; index <= 2000; ++index) {
      stored.push_back(entry(index, 3 + index / 500, std::string(index % 700, 'x') + std::to_string(index)));
      if (index % 100 == 0) {
        const auto first = stored.end() - 100;
        ASSERT_TRUE(log.append(batch({first, stored.end()})));
      }
    }
    EXPECT_EQ(log.sync_count(), 1 + 1 + 20);  // the first batch, the vote, the entries
  }
  auto [log, recovered] = open();
  EXPECT_FALSE(recovered.is_new);
  EXPECT_FALSE(recovered.dropped_torn_tail);
  EXPECT_EQ(recovered.incarnation, incarnation);
  EXPECT_EQ(recovered.log.hard_state, *vote(3, 2).hard_state);
  EXPECT_EQ(recovered.log.last, raft::Index(2000));
  EXPECT_EQ(recovered.log.entries, stored);
  EXPECT_EQ(recovered.log.terms.size(), 5);
  EXPECT_EQ(read_all(log, recovered.log), stored);
  const auto whole = log.read(raft::Index(1), SIZE_MAX);
  ASSERT_TRUE(whole);
  EXPECT_EQ(*whole, stored);
}

TEST_F(LogOnDisk, is_unreadable_for_other_users_and_open_once) {
  ::umask(0);
  const auto opened = open();
  struct ::stat about{};
  ASSERT_EQ(::stat(folder().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700);
  for (const auto& file : std::filesystem::directory_iterator(folder())) {
    ASSERT_EQ(::stat(file.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600) << file.path();
  }
  const auto second = Log::open(*files_, folder(), {});
  ASSERT_FALSE(second);
  ASSERT_TRUE(second.error().disk);
  EXPECT_EQ(second.error().disk->errno_value, EWOULDBLOCK);
}

TEST_F(LogOnDisk, a_batch_larger_than_a_segment_is_one_batch) {
  const std::string large(700'000, 'L');
  {
    auto [log, recovered] = open();
    ASSERT_TRUE(log.append(batch({entry(1, 1, "a")})));
    ASSERT_TRUE(log.append(batch({entry(2, 1, large), entry(3, 1, "b"), entry(4, 1, large)})));
    ASSERT_TRUE(log.append(batch({entry(5, 1, "c")})));
  }
  auto [log, recovered] = open();
  const auto entries = read_all(log, recovered.log);
  ASSERT_EQ(entries.size(), 5);
  EXPECT_EQ(entries[3].data.view(), large);
  EXPECT_EQ(entries[4].data.view(), "c");
}

TEST_F(LogOnDisk, recovery_hands_back_no_more_than_its_budget) {
  {
    auto [log, recovered] = open();
    for (std::uint64_t index = 1; index <= 100; ++index) {
      ASSERT_TRUE(log.append(batch({entry(index, 1, std::string(1000, 'x'))})));
    }
  }
  auto [log, recovered] = open({.segment_size_bytes = 256 * 1024, .recovered_tail_bytes = 10'000});
  EXPECT_GE(recovered.log.entries.size(), 5);
  EXPECT_LE(recovered.log.entries.size(), 10);
  EXPECT_EQ(recovered.log.entries.back().index, raft::Index(100));
  EXPECT_EQ(recovered.log.last, raft::Index(100));
  EXPECT_EQ(read_all(log, recovered.log).size(), 100);
}

// Entries that are read while others are appended, overridden and compacted: always a piece of one log.
TEST_F(LogOnDisk, reads_beside_the_disk_thread) {
  auto [log, recovered] = open({.segment_size_bytes = 16 * 1024, .seed = 9});
  std::atomic<bool> stops = false;
  std::atomic<std::uint64_t> newest = 0;
  std::atomic<std::uint64_t> reads = 0;
  const Log& shared = log;
  std::thread reader([&] {
    while (!stops || reads < 10) {
      const std::uint64_t from = newest > 20 ? newest - 20 : 1;
      const auto entries = shared.read(raft::Index(from), 2000);
      ASSERT_TRUE(entries) << entries.error().describe();
      for (std::size_t i = 0; i < entries->size(); ++i) {
        ASSERT_EQ((*entries)[i].index.value(), from + i);
        ASSERT_EQ((*entries)[i].data.view(), std::to_string((*entries)[i].term.value()));
        ASSERT_TRUE(i == 0 || (*entries)[i].term >= (*entries)[i - 1].term);
      }
      if (!entries->empty()) ++reads;
    }
  });
  std::uint64_t term = 1;
  std::uint64_t last = 0;
  // It ends well after a compaction: else 20 entries back there would be nothing left for a late reader.
  for (int round = 0; round < 620; ++round) {
    if (round % 7 == 6) {
      ++term;
      last -= 3;
    }
    std::vector<raft::Entry> entries;
    for (int i = 0; i < 5; ++i) entries.push_back(entry(++last, term, std::to_string(term)));
    ASSERT_TRUE(log.append(batch(std::move(entries))));
    newest = last;
    if (round % 50 == 49) {
      const auto at = log.read(raft::Index(last - 10), 1);
      ASSERT_TRUE(at);
      ASSERT_TRUE(log.compact(point(last - 10, at->front().term.value()), "state-1.db"));
    }
  }
  stops = true;
  reader.join();
  EXPECT_GE(reads, 10);
}

TEST(Log, one_sync_for_many_batches_and_none_for_nothing) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  auto [log, recovered] = must_open(disk);
  const std::uint64_t before = log.sync_count();
  const std::uint64_t disk_before = disk.sync_count();
  std::vector<raft::StorageBatch> batches;
  for (std::uint64_t index = 1; index <= 20; ++index) batches.push_back(batch({entry(index, 1, "x")}));
  batches.push_back(vote(2, 1));
  ASSERT_TRUE(log.append_all(batches));
  EXPECT_EQ(log.sync_count() - before, 1);
  EXPECT_EQ(disk.sync_count() - disk_before, 1);
  ASSERT_TRUE(log.append_all({}));
  ASSERT_TRUE(log.append(raft::StorageBatch{}));
  EXPECT_EQ(disk.sync_count() - disk_before, 1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.append(vote(3, 1)));
  EXPECT_EQ(disk.sync_count() - disk_before, 6);
  ASSERT_TRUE(log.seal());
  ASSERT_TRUE(log.seal());
  EXPECT_EQ(disk.sync_count() - disk_before, 7);
}

// Making a segment ahead finds no space; by the time it is needed there is some.
TEST(Log, F_no_space_for_a_segment_ahead_is_tried_again) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  disk.set_capacity_bytes(2ULL * 4096);  // the first two segments
  auto [log, recovered] =
      must_open(disk, {.segment_size_bytes = 4096, .seed = 1, .prepares_in_thread = true});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (disk.times_full() == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  ASSERT_GT(disk.times_full(), 0);
  disk.set_capacity_bytes(UINT64_MAX);
  for (std::uint64_t index = 1; index <= 50; ++index) {
    ASSERT_TRUE(log.append(batch({entry(index, 1, std::string(500, 'f'))}))) << index;
  }
}

// A process that has no file descriptor left, now and then.
class FewDescriptors final : public FileSystem {
 public:
  // The first `creates` find one, the next does not, later ones do.
  FewDescriptors(FileSystem& files, int creates) : files_(files), creates_left_(creates) {}
  // Folders cannot be opened until told otherwise.
  void use_up(bool used_up) { used_up_ = used_up; }
  [[nodiscard]] int times_none() const { return times_none_; }

  DiskResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    return files_.lock_folder(path);
  }
  DiskResult<std::unique_ptr<File>> create(const std::string& path) override {
    if (creates_left_-- == 0) return none("create", path);
    return files_.create(path);
  }
  DiskResult<std::unique_ptr<File>> open(const std::string& path) override { return files_.open(path); }
  DiskResult<void> rename(const std::string& from, const std::string& to) override {
    return files_.rename(from, to);
  }
  DiskResult<void> remove(const std::string& path) override { return files_.remove(path); }
  DiskResult<void> make_folder(const std::string& path) override { return files_.make_folder(path); }
  DiskResult<void> sync_folder(const std::string& path) override {
    if (used_up_) return none("open folder", path);
    return files_.sync_folder(path);
  }
  DiskResult<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }

 private:
  std::unexpected<DiskError> none(std::string operation, const std::string& path) {
    ++times_none_;
    return std::unexpected(DiskError{.operation = std::move(operation), .path = path, .errno_value = EMFILE});
  }

  FileSystem& files_;
  std::atomic<int> creates_left_;
  std::atomic<bool> used_up_ = false;
  std::atomic<int> times_none_ = 0;
};

// Making a segment ahead finds no file descriptor; by the time it is needed there is one.
TEST(Log, F_no_descriptor_for_a_segment_ahead_is_tried_again) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  FewDescriptors files(disk, 2);  // the first two segments
  auto [log, recovered] =
      must_open(files, {.segment_size_bytes = 4096, .seed = 1, .prepares_in_thread = true});
  for (std::uint64_t index = 1; index <= 50; ++index) {
    ASSERT_TRUE(log.append(batch({entry(index, 1, std::string(500, 'f'))}))) << index;
  }
  EXPECT_EQ(files.times_none(), 1);
}

// The name of a deleted segment cannot be synced: a later compaction does that, and goes on.
TEST(Log, F_no_descriptor_for_a_compaction_is_tried_again) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  FewDescriptors files(disk, INT_MAX);
  {
    auto [log, recovered] = must_open(files);
    for (std::uint64_t index = 1; index <= 40; ++index) {
      ASSERT_TRUE(log.append(batch({entry(index, 1, std::string(1000, 'y'))})));
    }
    const std::size_t before = disk.files().size();
    files.use_up(true);
    ASSERT_TRUE(log.compact(point(35, 1), "state-1.db"));
    ASSERT_TRUE(log.append(vote(2, 1)));
    ASSERT_TRUE(log.compact(point(36, 1), "state-2.db"));
    EXPECT_EQ(files.times_none(), 2);
    EXPECT_EQ(disk.files().size(), before - 1) << "none goes before the one before it is gone for sure";
    files.use_up(false);
    ASSERT_TRUE(log.compact(point(37, 1), "state-3.db"));
    EXPECT_LT(disk.files().size(), before - 1);
  }
  disk.crash();
  auto [log, recovered] = must_open(disk);
  EXPECT_EQ(recovered.log.compaction, point(37, 1));
  EXPECT_EQ(recovered.log.last, raft::Index(40));
}

TEST(Log, overridden_entries_are_gone) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  const std::vector<raft::Entry> expected = {entry(1, 1, "1"), entry(2, 1, "2"), entry(3, 2, "new 3"),
                                             entry(4, 3, "newer 4")};
  {
    auto [log, recovered] = must_open(disk);
    ASSERT_TRUE(log.append(batch({entry(1, 1, "1"), entry(2, 1, "2"), entry(3, 1, "3"), entry(4, 1, "4"),
                                  entry(5, 1, "5"), configuration_entry(6, 1, 5)})));
    ASSERT_TRUE(log.append(batch({entry(3, 2, "new 3"), entry(4, 2, "new 4"), entry(5, 2, "new 5")})));
    ASSERT_TRUE(log.append(batch({entry(4, 3, "newer 4")})));
    EXPECT_EQ(*log.read(raft::Index(1), SIZE_MAX), expected);
  }
  auto [log, recovered] = must_open(disk);
  EXPECT_EQ(recovered.log.entries, expected);
  EXPECT_TRUE(recovered.log.configurations.empty());
  EXPECT_EQ(recovered.log.terms.size(), 3);
  EXPECT_EQ(*log.read(raft::Index(1), SIZE_MAX), expected);
}

TEST(Log, J18_what_must_survive_outlives_the_segments_that_held_it) {
  sim::FaultyFileSystem disk(1);
  make_data_folder(disk);
  const std::vector<PeerStored> peers = {
      {.member = member(2), .term = raft::Term(5), .index = raft::Index(7)}};
  {
    auto [log, recovered] = must_open(disk);
    log.remember(peers);
    ASSERT_TRUE(log.append(vote(5, 2)));
    ASSERT_TRUE(log.append(batch({configuration_entry(1, 5, 3), entry(2, 5, "x")})));
    for (std::uint64_t index = 3; index <= 40; ++index) {
      ASSERT_TRUE(log.append(batch({entry(index, 5, std::string(1000, 'y'))})));
    }
    ASSERT_TRUE(log.append(batch({configuration_entry(41, 5, 5)})));
    ASSERT_TRUE(log.compact(point(38, 5, 3), "state-7.db"));
    EXPECT_TRUE(log.read(raft::Index(38), 1)->empty());
    EXPECT_EQ(log.read(raft::Index(39), 1)->size(), 1);
  }
  const std::vector<std::string> left = disk.files();
  EXPECT_THAT(left, testing::Not(testing::Contains(kFolder + "/00000000000000000001.log")));
  EXPECT_LE(left.size(), 4);
  auto [log, recovered] = must_open(disk);
  EXPECT_EQ(recovered.log.hard_state, *vote(5, 2).hard_state);
  EXPECT_EQ(recovered.log.compaction, point(38, 5, 3));
  EXPECT_EQ(recovered.live_state_file, "state-7.db");
  EXPECT_EQ(recovered.peers_stored, peers);
  EXPECT_EQ(recovered.log.last, raft::Index(41));
  EXPECT_EQ(recovered.log.entries.front().index, raft::Index(39));
  EXPECT_THAT(recovered.log.terms,
              testing::ElementsAre(raft::TermRun{.first = raft::Index(39), .term = raft::Term(5)}));
  EXPECT_THAT(recovered.log.configurations,
              testing::ElementsAre(
                  raft::ConfigurationAt{.index = raft::Index(41), .configuration = configuration(5)}));
}

// A snapshot was installed: a suffix that conflicts with it goes, one that continues it stays.
TEST(Log, an_installed_snapshot_drops_what_does_not_continue_it) {
  for (const std::uint64_t term_of_point : {1U, 2U}) {
    sim::FaultyFileSystem disk(1);
    make_data_folder(disk);
    {
      auto [log, recovered] = must_open(disk);
      ASSERT_TRUE(log.append(batch({entry(1, 1, "1"), entry(2, 1, "2"), entry(3, 1, "3")})));
      ASSERT_TRUE(log.compact(point(2, term_of_point), "state-2.db"));
    }
    auto [log, recovered] = must_open(disk);
    EXPECT_EQ(recovered.log.compaction, point(2, term_of_point));
    EXPECT_EQ(recovered.log.last, raft::Index(term_of_point == 1 ? 3 : 2));
    ASSERT_TRUE(log.compact(point(100, 4), "state-3.db"));
    ASSERT_TRUE(log.append(batch({entry(101, 4, "x")})));
    EXPECT_EQ(log.read(raft::Index(101), 100)->size(), 1);
    EXPECT_TRUE(log.read(raft::Index(3), 100)->empty());
  }
}

}  // namespace
}  // namespace parley::wal
