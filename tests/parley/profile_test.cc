#include "parley/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace parley::cli {
namespace {

class ProfileTest : public ::testing::Test {
 protected:
  ProfileTest() {
    std::string name = "/tmp/parley-profile-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  [[nodiscard]] static unsigned mode(const std::filesystem::path& path) {
    struct stat status{};
    ::stat(path.c_str(), &status);
    return status.st_mode & 0777U;
  }
  std::filesystem::path root_;
};

TEST_F(ProfileTest, KeepsASessionWhereOnlyItsOwnerReads) {
  ::umask(0);
  const ProfileStore store(root_ / "config" / "parley", "work");
  EXPECT_EQ(store.load(), Profile{});
  const Profile profile{
      .servers = {"a:1", "[::1]:2"}, .account = "ann", .account_id = 1ULL << 62U, .token = "s3cret\"\\"};
  ASSERT_TRUE(store.save(profile).has_value());
  EXPECT_EQ(store.load(), profile);
  EXPECT_EQ(mode(root_ / "config" / "parley"), 0700U);
  EXPECT_EQ(mode(root_ / "config" / "parley" / "work.toml"), 0600U);
  const auto files = std::distance(std::filesystem::directory_iterator(root_ / "config" / "parley"), {});
  EXPECT_EQ(files, 1) << "nothing is left beside it";
}

TEST_F(ProfileTest, AFileThatWasOpenToOthersIsClosed) {
  std::filesystem::create_directories(root_ / "parley");
  std::ofstream(root_ / "parley" / "default.toml") << "token = 'x'\n";
  ::chmod((root_ / "parley" / "default.toml").c_str(), 0644);
  const ProfileStore store(root_ / "parley", "default");
  EXPECT_EQ(store.load()->token, "x");
  ASSERT_TRUE(store.save({}).has_value());
  EXPECT_EQ(mode(root_ / "parley" / "default.toml"), 0600U);
}

TEST_F(ProfileTest, ADamagedFileIsNamedWithItsLine) {
  std::filesystem::create_directories(root_);
  std::ofstream(root_ / "p.toml") << "token = 'x'\nservers = [\n";
  const auto profile = ProfileStore(root_, "p").load();
  ASSERT_FALSE(profile.has_value());
  EXPECT_THAT(profile.error(), ::testing::HasSubstr("p.toml: line "));
}

TEST(ProfileName, CannotLeaveItsFolder) {
  EXPECT_TRUE(is_profile_name("work-2.b_C"));
  for (const char* const name : {"", ".", "..", "a/b", ".hidden", "a b", "\xc3\xbc"}) {
    EXPECT_FALSE(is_profile_name(name)) << name;
  }
}

}  // namespace
}  // namespace parley::cli
