// DataFolder: where the demo's nodes keep their data: a temporary folder, gone at the end, or one that a
// person named, which stays. Owned by: run_demo.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <utility>

namespace parley::demo {

class DataFolder {
 public:
  // `named` empty: a temporary one. The error is for people.
  [[nodiscard]] static std::expected<DataFolder, std::string> open(const std::filesystem::path& named);
  DataFolder(DataFolder&& from) noexcept
      : path_(std::exchange(from.path_, {})), is_temporary_(std::exchange(from.is_temporary_, false)) {}
  DataFolder& operator=(DataFolder&&) = delete;
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;
  ~DataFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Somebody will want to look into it.
  void keep() { is_temporary_ = false; }
  [[nodiscard]] bool is_kept() const { return !is_temporary_; }

 private:
  DataFolder(std::filesystem::path path, bool is_temporary)
      : path_(std::move(path)), is_temporary_(is_temporary) {}
  std::filesystem::path path_;
  bool is_temporary_;
};

}  // namespace parley::demo
