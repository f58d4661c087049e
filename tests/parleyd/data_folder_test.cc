// --reset: only what a node keeps is removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "parleyd/data_folder.h"

namespace parley::parleyd {
namespace {

namespace fs = std::filesystem;

class DataFolder : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(path_ / "log"); }
  void TearDown() override { fs::remove_all(path_); }
  void put(const std::string& name) const { std::ofstream(path_ / name) << "content"; }

  const fs::path path_ = fs::temp_directory_path() / ("parleyd-folder-" + std::to_string(::getpid()));
};

TEST_F(DataFolder, IsEmptiedOfWhatANodeKeeps) {
  for (const char* name :
       {"log/lock", "state.db", "state.db-wal", "state.db-shm", "state.db.of-lost-log-1"}) {
    put(name);
  }
  ASSERT_TRUE(empty_data_folder(path_));
  EXPECT_TRUE(fs::exists(path_));
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(DataFolder, IsLeftAloneWhereItHoldsAnythingElse) {
  put("state.db");
  put("thesis.tex");
  const auto refused = empty_data_folder(path_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), ::testing::HasSubstr("thesis.tex"));
  EXPECT_TRUE(fs::exists(path_ / "state.db"));
}

TEST_F(DataFolder, MayBeMissing) { EXPECT_TRUE(empty_data_folder(path_ / "absent")); }

}  // namespace
}  // namespace parley::parleyd
