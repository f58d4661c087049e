#include "parley/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace parley::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

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
  [[nodiscard]] static std::vector<std::string> files_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  // In the room that `largest` needs.
  [[nodiscard]] static std::expected<void, std::string> keep(const ProfileStore& store,
                                                             const Profile& largest, const Profile& profile) {
    auto room = store.make_room(largest);
    return room ? room->keep(profile) : std::unexpected(room.error());
  }
  std::filesystem::path root_;
};

TEST_F(ProfileTest, KeepsASessionWhereOnlyItsOwnerReads) {
  ::umask(0);
  const ProfileStore store(root_ / "config" / "parley", "work");
  EXPECT_EQ(store.load(), Profile{});
  const Profile profile{
      .servers = {"a:1", "[::1]:2"}, .account = "ann", .account_id = 1ULL << 62U, .token = "s3cret\"\\"};
  ASSERT_TRUE(keep(store, profile, profile).has_value());
  EXPECT_EQ(store.load(), profile);
  EXPECT_EQ(mode(root_ / "config" / "parley"), 0700U);
  EXPECT_EQ(mode(root_ / "config" / "parley" / "work.toml"), 0600U);
  EXPECT_THAT(files_in(root_ / "config" / "parley"), ElementsAre("work.toml")) << "nothing is left beside it";
}

// The room is taken for more than is kept, and what was in it is no part of the profile.
TEST_F(ProfileTest, WhatIsKeptFillsTheRoomOrLess) {
  const ProfileStore store(root_, "p");
  const Profile largest{.servers = {"a:1", "b:2"}, .account = "ann", .token = std::string(256, 'x')};
  for (const Profile& profile : {Profile{.account = "ann", .token = "t"}, largest, Profile{}}) {
    ASSERT_TRUE(keep(store, largest, profile).has_value());
    EXPECT_EQ(store.load(), profile);
  }
  ASSERT_TRUE(keep(store, largest, {}).has_value());
  const auto size_bytes = std::filesystem::file_size(root_ / "p.toml");
  ASSERT_TRUE(keep(store, {}, {}).has_value());
  EXPECT_EQ(std::filesystem::file_size(root_ / "p.toml"), size_bytes);
}

TEST_F(ProfileTest, RoomIsTakenAtOnceAndGivenBack) {
  const ProfileStore store(root_, "p");
  const Profile before{.account = "ann", .token = "t"};
  ASSERT_TRUE(keep(store, before, before).has_value());
  {
    const auto room = store.make_room({.token = std::string(256, 'x')});
    ASSERT_TRUE(room.has_value());
    ASSERT_THAT(files_in(root_), SizeIs(2));
    for (const auto& entry : std::filesystem::directory_iterator(root_)) {
      EXPECT_GE(entry.file_size(), entry.path() == store.file() ? 1U : 256U) << entry.path();
    }
  }
  EXPECT_THAT(files_in(root_), ElementsAre("p.toml"));
  EXPECT_EQ(store.load(), before);
}

TEST_F(ProfileTest, WhereItCannotTakeTheOldOnesPlaceNothingIsLeft) {
  const ProfileStore store(root_, "p");
  {
    auto room = store.make_room({});
    ASSERT_TRUE(room.has_value());
    std::filesystem::create_directories(root_ / "p.toml");
    const auto kept = room->keep({});
    ASSERT_FALSE(kept.has_value());
    EXPECT_THAT(kept.error(), HasSubstr("cannot write " + (root_ / "p.toml").string() + ": "));
  }
  EXPECT_THAT(files_in(root_), ElementsAre("p.toml"));
}

TEST_F(ProfileTest, AFileThatWasOpenToOthersIsClosed) {
  std::filesystem::create_directories(root_ / "parley");
  std::ofstream(root_ / "parley" / "default.toml") << "token = 'x'\n";
  ::chmod((root_ / "parley" / "default.toml").c_str(), 0644);
  const ProfileStore store(root_ / "parley", "default");
  EXPECT_EQ(store.load()->token, "x");
  ASSERT_TRUE(keep(store, {}, {}).has_value());
  EXPECT_EQ(mode(root_ / "parley" / "default.toml"), 0600U);
}

TEST_F(ProfileTest, ADamagedFileIsNamedWithItsLine) {
  std::filesystem::create_directories(root_);
  std::ofstream(root_ / "p.toml") << "token = 'x'\nservers = [\n";
  const auto profile = ProfileStore(root_, "p").load();
  ASSERT_FALSE(profile.has_value());
  EXPECT_THAT(profile.error(), HasSubstr("p.toml: line "));
}

TEST_F(ProfileTest, WhatIsNoProfileSaysWhy) {
  const ProfileStore store(root_, "p");
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"token = 5", "line 2: token is no text"},
           {"account = ['ann']", "line 2: account is no text"},
           {"account_id = '1'", "line 2: account_id is no whole"},
           {"servers = 'a:1'", "line 2: servers is no list"},
           {"servers = ['a:1', 2]", "line 2: servers is no list"}}) {
    std::ofstream(root_ / "p.toml") << "# it is damaged\n" << text << "\n";
    const auto profile = store.load();
    ASSERT_FALSE(profile.has_value()) << text;
    EXPECT_THAT(profile.error(), HasSubstr("p.toml: " + why));
  }
  std::ofstream(root_ / "p.toml") << "token = 't'\nof_a_later_version = 5\n";
  EXPECT_EQ(store.load()->token, "t");
  std::filesystem::remove(root_ / "p.toml");
  std::filesystem::create_directories(root_ / "p.toml");
  const auto folder = store.load();
  ASSERT_FALSE(folder.has_value());
  EXPECT_THAT(folder.error(), HasSubstr("p.toml: is a folder"));
}

TEST(ProfileName, CannotLeaveItsFolder) {
  EXPECT_TRUE(is_profile_name("work-2.b_C"));
  for (const char* const name : {"", ".", "..", "a/b", ".hidden", "a b", "\xc3\xbc"}) {
    EXPECT_FALSE(is_profile_name(name)) << name;
  }
}

}  // namespace
}  // namespace parley::cli
