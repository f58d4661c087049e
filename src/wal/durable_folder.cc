#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "wal/file_system.h"

namespace parley::wal {
namespace {

std::string parent_folder(std::string_view folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
  const std::size_t slash = folder.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : folder.substr(0, slash));
}

bool is_not_ours_to_sync(const DiskError& error) {
  constexpr std::array kForgiven = {EACCES, EPERM, EROFS, EINVAL, ENOTSUP, ENOSYS};
  return std::ranges::find(kForgiven, error.errno_value) != kForgiven.end();
}

}  // namespace

DiskResult<void> make_durable_folder(FileSystem& files, const std::string& path) {
  if (auto made = files.make_folder(path); !made) {
    return made;
  }
  auto synced = files.sync_folder(parent_folder(path));
  if (!synced && is_not_ours_to_sync(synced.error())) {
    return {};
  }
  return synced;
}

}  // namespace parley::wal
