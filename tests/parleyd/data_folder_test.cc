// --reset: only what a node keeps is removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "parleyd/data_folder.h"
#include "wal/file_system.h"

namespace parley::parleyd {
namespace {

namespace fs = std::filesystem;

class DataFolder : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_ / "log"); }
  void TearDown() override { fs::remove_all(path_); }
  void put(const std::string& name) const { std::ofstream(path_ / name) << "content"; }

  [[nodiscard]] std::expected<void, std::string> empty() const { return empty_data_folder(*files_, path_); }

  const std::unique_ptr<wal::FileSystem> files_ = wal::make_posix_file_system();
  const fs::path path_ = fs::temp_directory_path() / ("parleyd-folder-" + std::to_string(::getpid()));
};

constexpr const char* kSegment = "log/00000000000000000001.log";

TEST_F(DataFolder, IsEmptiedOfWhatANodeKeeps) {
  for (const char* name :
       {kSegment, "log/lock", "state.db", "state.db-wal", "state.db-shm", "state.db.of-lost-log-1"}) {
    put(name);
  }
  ASSERT_TRUE(empty());
  EXPECT_TRUE(fs::is_empty(path_ / "log"));
  fs::remove(path_ / "log");
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(DataFolder, IsLeftAloneWhereItHoldsAnythingElse) {
  put("state.db");
  put(kSegment);
  for (const char* name : {"thesis.tex", "log/thesis.log"}) {
    put(name);
    const auto refused = empty();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), ::testing::HasSubstr("thesis"));
    EXPECT_TRUE(fs::exists(path_ / "state.db"));
    EXPECT_TRUE(fs::exists(path_ / kSegment));
    fs::remove(path_ / name);
  }
}

TEST_F(DataFolder, IsLeftAloneWhileAnotherProcessWorksOnIt) {
  put("state.db");
  put(kSegment);
  auto lock = files_->lock_folder(path_ / "log");
  ASSERT_TRUE(lock);
  const auto refused = empty();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), ::testing::HasSubstr("another process works on this folder"));
  EXPECT_TRUE(fs::exists(path_ / "state.db"));
  EXPECT_TRUE(fs::exists(path_ / kSegment));
  lock->reset();
  EXPECT_TRUE(empty());
}

TEST_F(DataFolder, MayBeMissing) { EXPECT_TRUE(empty_data_folder(*files_, path_ / "absent")); }

}  // namespace
}  // namespace parley::parleyd
