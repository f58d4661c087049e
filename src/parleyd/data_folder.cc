#include "parleyd/data_folder.h"

#include <filesystem>
#include <vector>

namespace parley::parleyd {
namespace {

bool is_ours(const std::string& name) { return name == "log" || name.starts_with("state.db"); }

}  // namespace

std::expected<void, std::string> empty_data_folder(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return {};
  }
  std::vector<std::filesystem::path> entries;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (!is_ours(entry.path().filename())) {
      return std::unexpected("--reset: " + path + " holds " + entry.path().filename().string() +
                             ", which is not a node's; nothing was removed");
    }
    entries.push_back(entry.path());
  }
  for (const auto& entry : entries) {
    if (!error) {
      std::filesystem::remove_all(entry, error);
    }
  }
  if (error) {
    return std::unexpected("--reset: cannot empty " + path + ": " + error.message());
  }
  return {};
}

}  // namespace parley::parleyd
