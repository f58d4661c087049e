// Profile: what `parley` keeps between two commands: servers, account and token. One file a profile,
// $XDG_CONFIG_HOME/parley/NAME.toml, mode 0600 in a folder of mode 0700.
// Owned by: the command that runs.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
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

class ProfileStore {
 public:
  ProfileStore(std::filesystem::path folder, const std::string& name);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  // An empty profile where there is no file.
  [[nodiscard]] std::expected<Profile, std::string> load() const;
  // Makes the folder, and proves that a file can be written in it.
  [[nodiscard]] std::expected<void, std::string> prepare() const;
  // Whole or not at all: a new file is synced and takes the place of the old one.
  [[nodiscard]] std::expected<void, std::string> save(const Profile& profile) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

}  // namespace parley::cli
