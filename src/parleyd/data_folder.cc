#include "parleyd/data_folder.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "wal/segment.h"

namespace parley::parleyd {
namespace {

namespace fs = std::filesystem;

bool is_in_data_folder(const std::string& name) { return name == "log" || name.starts_with("state.db"); }
bool is_in_log(const std::string& name) {
  return name == "lock" || wal::parse_segment_file_name(name).has_value();  // the lock was a file once
}

// What `folder` holds; the error names the first that is not a node's.
std::expected<std::vector<fs::path>, std::string> list(
    const fs::path& folder, const std::function<bool(const std::string&)>& is_ours) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_ours(entry.path().filename())) {
      return std::unexpected("--reset: " + folder.string() + " holds " + entry.path().filename().string() +
                             ", which is not a node's; nothing was removed");
    }
    entries.push_back(entry.path());
  }
  if (error) {
    return std::unexpected("--reset: cannot read " + folder.string() + ": " + error.message() +
                           "; nothing was removed");
  }
  return entries;
}

}  // namespace

std::expected<void, std::string> empty_data_folder(wal::FileSystem& files, const std::string& path) {
  const fs::path log = fs::path(path) / "log";
  std::error_code error;
  if (!fs::exists(path, error)) {
    return {};
  }
  auto entries = list(path, is_in_data_folder);
  if (!entries) {
    return std::unexpected(std::move(entries).error());
  }
  std::unique_ptr<wal::FolderLock> lock;
  if (fs::exists(log, error)) {
    auto locked = files.lock_folder(log);
    if (!locked) {
      return std::unexpected("--reset: " + locked.error().describe() + "; nothing was removed");
    }
    lock = *std::move(locked);
    auto segments = list(log, is_in_log);
    if (!segments) {
      return std::unexpected(std::move(segments).error());
    }
    // The folder of the log stays: it is what is locked.
    std::erase(*entries, log);
    // The oldest first: what a power failure leaves has no beginning, and is no shorter log.
    std::ranges::sort(*segments);
    entries->insert(entries->begin(), segments->begin(), segments->end());
  }
  for (const auto& entry : *entries) {
    if (!error) {
      fs::remove_all(entry, error);
    }
  }
  if (error) {
    return std::unexpected("--reset: cannot empty " + path + ": " + error.message());
  }
  return {};
}

}  // namespace parley::parleyd
