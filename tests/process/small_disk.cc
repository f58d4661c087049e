#include "tests/process/small_disk.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "base/ensure.h"

namespace parley::testing {
namespace {

void mount_tmpfs(const std::filesystem::path& folder, const std::string& size) {
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  const std::string options = "mode=0700,size=" + size;
  const int code = ::mount("tmpfs", folder.c_str(), "tmpfs", 0, options.c_str());
  base::ensure(code == 0, "a small tmpfs can be mounted (it needs root)");
}

}  // namespace

SmallDisk::SmallDisk(std::filesystem::path data_folder) : data_folder_(std::move(data_folder)) {
  mount_tmpfs(data_folder_, "8m");
  mount_tmpfs(data_folder_ / "log", "256m");
}

SmallDisk::~SmallDisk() {
  ::umount2((data_folder_ / "log").c_str(), MNT_DETACH);
  ::umount2(data_folder_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() {
  const int file = ::open((data_folder_ / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  base::ensure(file >= 0, "a file can be made");
  const std::array<char, 4096> page{};
  while (::write(file, page.data(), page.size()) > 0) {
  }
  ::close(file);
}

void SmallDisk::make_room() { std::filesystem::remove(data_folder_ / "filler"); }

}  // namespace parley::testing
