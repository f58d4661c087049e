// Profile: what `parley` keeps between two commands: servers, account and token. One file a profile,
// $XDG_CONFIG_HOME/parley/NAME.toml, mode 0600 in a folder of mode 0700.
// Owned by: the command that runs.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::cli {

struct Profile {
  std::vector<std::string> servers;  // HOST:PORT
  std::string account;               // its name; empty: not logged in
  std::uint64_t account_id = 0;
  std::string token;
  bool operator==(const Profile&) const = default;
};

// $XDG_CONFIG_HOME/parley, or ~/.config/parley. The error says which variables are missing.
[[nodiscard]] std::expected<std::filesystem::path, std::string> profile_folder();

// 1 to 32 of a-z A-Z 0-9 _ - and, not in front, a dot.
[[nodiscard]] bool is_profile_name(std::string_view name);

// Room on the disk for a profile that will be known only when a write has been done: a file beside the
// profile's own, which takes its place, or goes with this object. Owned by: the command that runs.
class ProfileRoom {
 public:
  ProfileRoom(const ProfileRoom&) = delete;
  ProfileRoom& operator=(const ProfileRoom&) = delete;
  ProfileRoom(ProfileRoom&& other) noexcept;
  ProfileRoom& operator=(ProfileRoom&&) = delete;
  ~ProfileRoom();

  // Once. Whole or not at all: it is synced, and takes the place of the old profile.
  [[nodiscard]] std::expected<void, std::string> keep(const Profile& profile);

 private:
  friend class ProfileStore;
  ProfileRoom(std::filesystem::path place, std::filesystem::path fresh, int file)
      : place_(std::move(place)), fresh_(std::move(fresh)), file_(file) {}

  std::filesystem::path place_;
  std::filesystem::path fresh_;
  int file_;  // open for writing; -1: moved from
  bool is_kept_ = false;
};

class ProfileStore {
 public:
  ProfileStore(std::filesystem::path folder, const std::string& name);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  // An empty profile where there is no file. The error says what is wrong with the one that is there.
  [[nodiscard]] std::expected<Profile, std::string> load() const;
  // Makes the folder, and proves that a file can be written in it.
  [[nodiscard]] std::expected<void, std::string> prepare() const;
  // Takes as much room as `largest` needs, synced: a full disk is found out now.
  [[nodiscard]] std::expected<ProfileRoom, std::string> make_room(const Profile& largest) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

}  // namespace parley::cli
