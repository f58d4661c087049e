// Crashes at every operation of the disk, failing syncs, full disks: what was acknowledged is there, what was
// not is there as a whole or not at all, and what a recovery has once told stays.
#include <gmock/gmock.h>

#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "log_model.h"
#include "wal/segment.h"

namespace parley::wal {
namespace {

using sim::DiskFault;
using sim::FaultyFileSystem;

Options options(std::uint64_t seed) {
  return {.segment_size_bytes = 4096, .seed = seed, .prepares_in_thread = false};
}

// One step of a workload: what it does to the log, and to the model of it.
struct Step {
  std::function<DiskResult<void>(Log&)> on_log;
  std::function<void(Model&)> on_model;
};

Step store(const std::vector<raft::StorageBatch>& batches) {
  return {.on_log = [batches](Log& log) { return log.append_all(batches); },
          .on_model =
              [batches](Model& model) {
                for (const raft::StorageBatch& batch : batches) model.apply(batch);
              }};
}

Step compact(const raft::CompactionPoint& at, const std::string& file) {
  return {.on_log = [=](Log& log) { return log.compact(at, file); },
          .on_model = [=](Model& model) { model.compact(at, file); }};
}

Step seal() {
  return {.on_log = [](Log& log) { return log.seal(); }, .on_model = [](Model&) {}};
}

// Votes, entries of all sizes, an override, a compaction that deletes segments, several changes of segment, a
// seal, a snapshot install.
std::vector<Step> workload() {
  std::vector<Step> steps;
  steps.push_back(store({vote(1, 2), batch({configuration_entry(1, 1, 3), entry(2, 1, "two")})}));
  for (std::uint64_t index = 3; index <= 8; ++index) {
    steps.push_back(store({batch({entry(index, 1, std::string(700, 'a'))}),
                           batch({entry(index + 1, 1, "overridden by the next")})}));
  }
  steps.push_back(seal());
  steps.push_back(store({vote(3, 1)}));
  steps.push_back(store({batch({entry(7, 3, "seven"), entry(8, 3, std::string(1500, 'b'))})}));
  steps.push_back(compact(point(6, 1), "state-1.db"));
  steps.push_back(store({batch({entry(9, 3, std::string(5000, 'c'))})}));
  steps.push_back(compact(point(40, 4), "state-2.db"));
  steps.push_back(store({batch({entry(41, 4, "after the snapshot")})}));
  return steps;
}

// What may be found after a crash: what was acknowledged, and that with the step that was under way.
struct Allowed {
  Model acknowledged;
  Model under_way;
  bool finished = false;  // every step was acknowledged
};

Allowed run_workload(FaultyFileSystem& disk, std::uint64_t seed) {
  Allowed allowed;
  auto opened = Log::open(disk, kFolder, options(seed));
  if (!opened) return allowed;
  for (const Step& step : workload()) {
    step.on_model(allowed.under_way);
    if (!step.on_log(opened->log)) {
      EXPECT_FALSE(step.on_log(opened->log)) << "a log goes on after an error";
      return allowed;
    }
    allowed.acknowledged = allowed.under_way;
  }
  allowed.finished = true;
  return allowed;
}

// Opens without faults, sees that it is what is allowed, and that the log goes on from there.
void expect_recovers(FaultyFileSystem& disk, const Allowed& allowed, std::uint64_t seed,
                     const std::string& where) {
  Model found;
  {
    auto [log, recovered] = must_open(disk, options(seed));
    found = content_of(log, recovered);
    EXPECT_THAT(found, testing::AnyOf(allowed.acknowledged, allowed.under_way)) << where;
  }
  // What it told must stay, even if the power fails right now.
  disk.crash();
  raft::Index next = found.last().next();
  {
    auto [log, recovered] = must_open(disk, options(seed + 1));
    EXPECT_EQ(content_of(log, recovered), found) << where;
    const raft::StorageBatch more = batch({entry(next.value(), 9, std::string(1000, 'm'))});
    EXPECT_TRUE(log.append(more));
    found.apply(more);
  }
  disk.crash();
  const auto opened = must_open(disk, options(seed + 2));
  EXPECT_EQ(content_of(opened.log, opened.recovered), found) << where;
}

// The power fails in the workload's k-th operation, then in the j-th of the recovery, and of the next one,
// and of a third. For all k and j.
TEST(LogCrash, E_power_fails_at_every_operation_and_at_every_one_of_recovery) {
  bool finished = false;
  for (std::uint64_t k = 0; !finished; ++k) {
    bool recovered_at_once = false;
    for (std::uint64_t j = 0; !recovered_at_once; ++j) {
      const std::uint64_t seed = k * 1000 + j;
      FaultyFileSystem disk(seed);
      make_data_folder(disk);
      disk.inject(DiskFault::power_fails, k);
      const Allowed allowed = run_workload(disk, seed);
      finished = allowed.finished;
      disk.crash();
      for (int again = 0; again < 3 && !recovered_at_once; ++again) {
        disk.inject(DiskFault::power_fails, j);
        recovered_at_once = Log::open(disk, kFolder, options(seed + 7)).has_value() && !disk.has_injected();
        disk.crash();
      }
      expect_recovers(disk, allowed, seed + 11,
                      "power failed at operation " + std::to_string(k) + ", then at " + std::to_string(j));
      ASSERT_FALSE(HasFailure());
    }
  }
}

// Any operation fails, the process ends and starts again: what it then tells, it must keep, although the
// kernel takes pages for clean that never reached the disk.
TEST(LogCrash, J2_any_operation_fails_then_a_restart_then_a_power_failure) {
  for (std::uint64_t variant = 0; variant < 8; ++variant) {
    bool finished = false;
    for (std::uint64_t k = 0; !finished; ++k) {
      const std::uint64_t seed = variant * 100'000 + k;
      FaultyFileSystem disk(seed);
      make_data_folder(disk);
      disk.inject(DiskFault::fails, k);
      const Allowed allowed = run_workload(disk, seed);
      finished = allowed.finished;
      disk.clear_faults();
      disk.kill();
      expect_recovers(disk, allowed, seed + 11, "operation " + std::to_string(k) + " failed");
      ASSERT_FALSE(HasFailure());
    }
  }
}

// The same with one more failure in the recovery itself: the zeros behind a dropped batch, the last batch.
TEST(LogCrash, J2_any_operation_of_recovery_fails_then_a_restart_then_a_power_failure) {
  for (std::uint64_t k = 0; k < 60; ++k) {
    bool recovered_at_once = false;
    for (std::uint64_t j = 0; !recovered_at_once; ++j) {
      const std::uint64_t seed = k * 1000 + j;
      FaultyFileSystem disk(seed);
      make_data_folder(disk);
      disk.inject(DiskFault::power_fails, 20 + k * 2);
      const Allowed allowed = run_workload(disk, seed);
      disk.crash();
      disk.inject(DiskFault::fails, j);
      recovered_at_once = Log::open(disk, kFolder, options(seed + 7)).has_value() && !disk.has_injected();
      disk.clear_faults();
      disk.kill();
      expect_recovers(disk, allowed, seed + 11,
                      "power failed at " + std::to_string(k) + ", recovery at " + std::to_string(j));
      ASSERT_FALSE(HasFailure());
    }
  }
}

// A torn tail is zeroed, the sync of the zeros fails, the process starts again: memory shows zeros, the disk
// still has the torn batch. The log goes on in the next segment, then the power fails: what shows again is no
// damage.
TEST(LogCrash, J17_zeros_behind_a_torn_tail_are_on_disk_before_the_log_goes_on) {
  int tails = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FaultyFileSystem disk(seed);
    make_data_folder(disk);
    {
      auto [log, recovered] = must_open(disk, options(seed));
      ASSERT_TRUE(log.append(batch({entry(1, 1, "one")})));
      disk.inject(DiskFault::power_fails, 1);  // in the sync
      ASSERT_FALSE(log.append(batch({entry(2, 1, std::string(2500, 't'))})));
    }
    disk.crash();
    disk.fail_next_sync();
    ASSERT_FALSE(Log::open(disk, kFolder, options(seed + 1)));
    disk.kill();
    Model model;
    {
      auto [log, recovered] = must_open(disk, options(seed + 2));
      model = content_of(log, recovered);
      if (recovered.dropped_torn_tail) ++tails;
      const raft::StorageBatch next = batch({entry(model.last().value() + 1, 1, std::string(3500, 'n'))});
      ASSERT_TRUE(log.append(next));
      model.apply(next);
    }
    disk.crash();
    const auto [log, recovered] = must_open(disk, options(seed + 3));
    ASSERT_EQ(content_of(log, recovered), model);
  }
  EXPECT_GT(tails, 100);
}

// --- Planted bugs: a file system that does for the log what a log with the bug would do. ---

enum class Bug : std::uint8_t {
  none,
  skips_sync_of_batches,
  does_not_write_last_batch_again,
  keeps_torn_tail
};

class BuggyFile final : public File {
 public:
  BuggyFile(std::unique_ptr<File> file, Bug bug) : file_(std::move(file)), bug_(bug) {}
  DiskResult<void> write_at(std::uint64_t offset_bytes, std::string_view bytes) override {
    if (bug_ == Bug::does_not_write_last_batch_again && file_->read_at(offset_bytes, bytes.size()) == bytes) {
      return {};
    }
    return file_->write_at(offset_bytes, bytes);
  }
  DiskResult<std::string> read_at(std::uint64_t offset_bytes, std::size_t size_bytes) override {
    return file_->read_at(offset_bytes, size_bytes);
  }
  DiskResult<std::uint64_t> size_bytes() override { return file_->size_bytes(); }
  DiskResult<void> sync_data() override {
    return bug_ == Bug::skips_sync_of_batches ? DiskResult<void>() : file_->sync_data();
  }

 private:
  std::unique_ptr<File> file_;
  Bug bug_;
};

class BuggyFileSystem : public FileSystem {
 public:
  BuggyFileSystem(FileSystem& files, Bug bug) : files_(files), bug_(bug) {}
  DiskResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    return files_.lock_folder(path);
  }
  DiskResult<std::unique_ptr<File>> create(const std::string& path) override {
    return wrap(files_.create(path));
  }
  DiskResult<std::unique_ptr<File>> open(const std::string& path) override { return wrap(files_.open(path)); }
  DiskResult<void> rename(const std::string& from, const std::string& to) override {
    return files_.rename(from, to);
  }
  DiskResult<void> remove(const std::string& path) override { return files_.remove(path); }
  DiskResult<void> make_folder(const std::string& path) override { return files_.make_folder(path); }
  DiskResult<void> sync_folder(const std::string& path) override { return files_.sync_folder(path); }
  DiskResult<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }

 private:
  DiskResult<std::unique_ptr<File>> wrap(DiskResult<std::unique_ptr<File>> file) const {
    if (!file) return file;
    return std::make_unique<BuggyFile>(std::move(*file), bug_);
  }
  FileSystem& files_;
  Bug bug_;
};

// Makes every folder, and can sync none.
class UnopenedParent final : public BuggyFileSystem {
 public:
  UnopenedParent(FileSystem& files, int error) : BuggyFileSystem(files, Bug::none), error_(error) {}
  DiskResult<void> make_folder(const std::string&) override { return {}; }
  DiskResult<void> sync_folder(const std::string& path) override {
    synced_ = path;
    return std::unexpected(DiskError{.operation = "open folder", .path = path, .errno_value = error_});
  }
  [[nodiscard]] const std::string& synced() const { return synced_; }

 private:
  int error_;
  std::string synced_;
};

// A sync of the last append fails, the process starts again and tells what it has; then the power fails. How
// often was something lost that had been told?
int times_told_and_lost(Bug bug) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    FaultyFileSystem disk(seed);
    BuggyFileSystem files(disk, bug);
    make_data_folder(disk);
    {
      auto [log, recovered] = must_open(files);
      EXPECT_TRUE(log.append(batch({entry(1, 1, "one")})));
      disk.fail_next_sync();
      EXPECT_EQ(log.append(batch({entry(2, 1, std::string(3000, 't'))})).has_value(),
                bug == Bug::skips_sync_of_batches);
      disk.clear_faults();
    }
    disk.kill();
    raft::Index told;
    {
      const auto [log, recovered] = must_open(files);
      told = recovered.log.last;
    }
    disk.crash();
    const auto again = Log::open(files, kFolder, small_options());
    if (!again || again->recovered.log.last < told) ++lost;
  }
  return lost;
}

TEST(LogCrash, J2_a_batch_whose_sync_failed_is_written_again) {
  EXPECT_EQ(times_told_and_lost(Bug::none), 0);
}

TEST(LogCrash, planted_bug_last_batch_not_written_again_is_caught) {
  EXPECT_GT(times_told_and_lost(Bug::does_not_write_last_batch_again), 5);
}

TEST(LogCrash, planted_bug_skipped_sync_is_caught) {
  EXPECT_GT(times_told_and_lost(Bug::skips_sync_of_batches), 5);
}

TEST(LogCrash, planted_bug_disk_that_lies_about_syncs_is_caught) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FaultyFileSystem disk(seed);
    make_data_folder(disk);
    {
      auto [log, recovered] = must_open(disk);
      ASSERT_TRUE(log.append(batch({entry(1, 1, "one")})));
      disk.lie_about_syncs(true);
      ASSERT_TRUE(log.append(batch({entry(2, 1, "two")})));
    }
    disk.crash();
    disk.lie_about_syncs(false);
    const auto [log, recovered] = must_open(disk);
    if (recovered.log.last < raft::Index(2)) ++lost;
  }
  EXPECT_GT(lost, 0);
}

// --- A full disk ---

TEST(LogCrash, F_no_space_then_a_restart_then_space_again) {
  std::set<std::uint64_t> where_it_ended;
  for (std::uint64_t capacity = 16'000; capacity < 60'000; capacity += 700) {
    FaultyFileSystem disk(capacity);
    make_data_folder(disk);
    disk.set_capacity_bytes(capacity);
    Model model;
    {
      auto [log, recovered] = must_open(disk, options(1));
      for (std::uint64_t index = 1; index < 200; ++index) {
        const raft::StorageBatch next = batch({entry(index, 1, std::string(500 - index % 60 * 8, 'f'))});
        if (!log.append(next)) break;
        model.apply(next);
      }
    }
    ASSERT_LT(model.last(), raft::Index(199));
    where_it_ended.insert(model.last().value());
    disk.kill();
    {
      // Starting needs no space, and what frees space finds room.
      auto [log, recovered] = must_open(disk, options(2));
      ASSERT_EQ(content_of(log, recovered), model) << capacity;
      ASSERT_TRUE(log.append(vote(1, 3)));
      model.apply(vote(1, 3));
      const raft::CompactionPoint at = point(model.last().value() - 1, 1);
      ASSERT_TRUE(log.compact(at, "state-1.db")) << capacity;
      model.compact(at, "state-1.db");
    }
    disk.crash();
    disk.set_capacity_bytes(UINT64_MAX);
    auto [log, recovered] = must_open(disk, options(3));
    ASSERT_EQ(content_of(log, recovered), model) << capacity;
    ASSERT_TRUE(log.append(batch({entry(model.last().value() + 1, 1, std::string(5000, 'g'))})));
  }
  EXPECT_GT(where_it_ended.size(), 3);
}

// --- Compaction ---

// Segments that hold overridden entries go before those that override them: whatever the power leaves, the
// overridden ones never come back.
TEST(LogCrash, J18_an_overridden_suffix_does_not_come_back_when_segments_go) {
  bool finished = false;
  for (std::uint64_t k = 0; !finished; ++k) {
    for (std::uint64_t variant = 0; variant < 4; ++variant) {
      FaultyFileSystem disk(k * 10 + variant);
      make_data_folder(disk);
      {
        auto [log, recovered] = must_open(disk, options(1));
        for (std::uint64_t index = 1; index <= 30; ++index) {
          ASSERT_TRUE(log.append(batch({entry(index, 1, std::string(800, 'o'))})));
        }
        for (std::uint64_t index = 10; index <= 40; ++index) {
          ASSERT_TRUE(log.append(batch({entry(index, 2, std::string(800, 'n'))})));
        }
        disk.inject(DiskFault::power_fails, k);
        finished = log.compact(point(35, 2), "state.db").has_value();
      }
      disk.crash();
      const auto [log, recovered] = must_open(disk, options(2));
      const Model found = content_of(log, recovered);
      ASSERT_EQ(found.last(), raft::Index(40)) << k;
      for (const raft::Entry& stored : found.entries) {
        ASSERT_EQ(stored.term, raft::Term(stored.index < raft::Index(10) ? 1 : 2)) << k;
      }
    }
  }
}

// A log in the making, cut short anywhere: the same incarnation once it was told, and never a damaged log.
TEST(LogCrash, J1_power_fails_while_a_log_is_made) {
  for (const bool in_thread : {false, true}) {
    bool finished = false;
    for (std::uint64_t k = 0; !finished; ++k) {
      FaultyFileSystem disk(k);
      make_data_folder(disk);
      Options made = options(k);
      made.prepares_in_thread = in_thread;
      disk.inject(DiskFault::power_fails, k);
      raft::Incarnation told;
      if (const auto opened = Log::open(disk, kFolder, made)) {
        told = opened->recovered.incarnation;
        finished = !disk.has_injected();
      }
      disk.crash();
      const auto [log, recovered] = must_open(disk, options(k + 1));
      if (!told.is_none()) {
        EXPECT_EQ(recovered.incarnation, told);
        EXPECT_FALSE(recovered.is_new);
      }
      EXPECT_EQ(recovered.log, raft::RecoveredLog{});
    }
  }
}

// The log of a node whose data folder was made a moment ago, by the same start or by one that was killed.
TEST(LogCrash, a_data_folder_that_was_just_made_outlives_a_power_failure) {
  for (const bool was_made_before : {false, true}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      FaultyFileSystem disk(seed);
      if (was_made_before) {
        ASSERT_TRUE(disk.make_folder("data"));
        disk.kill();
      }
      ASSERT_TRUE(make_durable_folder(disk, "data"));
      raft::Incarnation told;
      {
        auto [log, recovered] = must_open(disk, options(seed));
        told = recovered.incarnation;
        ASSERT_TRUE(log.append(batch({entry(1, 1, "one")})));
      }
      disk.crash();
      const auto [log, recovered] = must_open(disk, options(seed + 1));
      EXPECT_EQ(recovered.incarnation, told);
      EXPECT_EQ(recovered.log.last, raft::Index(1));
    }
  }
}

TEST(LogCrash, planted_bug_data_folder_whose_name_is_not_synced_is_caught) {
  FaultyFileSystem disk(1);
  ASSERT_TRUE(disk.make_folder("data"));
  {
    auto [log, recovered] = must_open(disk, options(1));
    ASSERT_TRUE(log.append(batch({entry(1, 1, "one")})));
  }
  disk.crash();
  EXPECT_TRUE(disk.files().empty());
  ASSERT_TRUE(make_durable_folder(disk, "data"));
  const auto [log, recovered] = must_open(disk, options(2));
  EXPECT_TRUE(recovered.is_new);
}

// A folder above that is somebody else's keeps no node from starting; anything else does.
TEST(LogCrash, a_folder_above_that_may_not_be_opened_is_left_alone) {
  for (const int error : {EACCES, EROFS, EINVAL, EIO, EMFILE}) {
    FaultyFileSystem disk(1);
    UnopenedParent files(disk, error);
    for (const auto& [folder, above] : std::map<std::string, std::string>{
             {"data", "."}, {"data/", "."}, {"/data", "/"}, {"/a/data", "/a"}, {"a/data//", "a"}}) {
      EXPECT_EQ(make_durable_folder(files, folder).has_value(), error != EIO && error != EMFILE) << error;
      EXPECT_EQ(files.synced(), above) << folder;
    }
  }
}

TEST(LogCrash, a_folder_without_a_log_gets_a_new_incarnation_whatever_else_is_there) {
  FaultyFileSystem disk(1);
  make_data_folder(disk);
  raft::Incarnation first;
  {
    const auto [log, recovered] = must_open(disk, options(1));
    first = recovered.incarnation;
  }
  for (const std::string& path : disk.files()) disk.remove_for_good(path);
  disk.set_content(kFolder + "/state.db", "other files are left");
  const auto [log, recovered] = must_open(disk, options(2));
  EXPECT_TRUE(recovered.is_new);
  EXPECT_NE(recovered.incarnation, first);
}

}  // namespace
}  // namespace parley::wal
