#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "wal/file_system.h"

namespace parley::wal {
namespace {

constexpr ::mode_t kFileMode = 0600;
constexpr ::mode_t kFolderMode = 0700;

std::unexpected<DiskError> failed(std::string operation, std::string path, int errno_value) {
  return std::unexpected(
      DiskError{.operation = std::move(operation), .path = std::move(path), .errno_value = errno_value});
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

DiskResult<Descriptor> open_descriptor(const std::string& operation, const std::string& path, int flags) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) {
    return failed(operation, path, errno);
  }
  return Descriptor(number);
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  DiskResult<void> write_at(std::uint64_t offset_bytes, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ::ssize_t written =
          ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<::off_t>(offset_bytes));
      if (written < 0) {
        if (errno == EINTR) continue;
        return failed("write", path_, errno);
      }
      offset_bytes += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  DiskResult<std::string> read_at(std::uint64_t offset_bytes, std::size_t size_bytes) override {
    std::string bytes(size_bytes, '\0');
    std::size_t have = 0;
    while (have < size_bytes) {
      const ::ssize_t got = ::pread(descriptor_.number(), bytes.data() + have, size_bytes - have,
                                    static_cast<::off_t>(offset_bytes + have));
      if (got < 0) {
        if (errno == EINTR) continue;
        return failed("read", path_, errno);
      }
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }

  DiskResult<std::uint64_t> size_bytes() override {
    struct ::stat about{};
    if (::fstat(descriptor_.number(), &about) != 0) {
      return failed("stat", path_, errno);
    }
    return static_cast<std::uint64_t>(about.st_size);
  }

  DiskResult<void> sync_data() override {
    // Not repeated after EINTR either: after any error it is unknown what the kernel still holds as dirty.
    if (::fdatasync(descriptor_.number()) != 0) {
      return failed("fdatasync", path_, errno);
    }
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

class PosixFolderLock final : public FolderLock {
 public:
  explicit PosixFolderLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  DiskResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    // The folder itself, not a file in it: that could be removed, and another made and locked.
    auto descriptor = open_descriptor("lock", path, O_RDONLY | O_DIRECTORY);
    if (!descriptor) {
      return std::unexpected(descriptor.error());
    }
    if (::flock(descriptor->number(), LOCK_EX | LOCK_NB) != 0) {
      return failed(errno == EWOULDBLOCK ? "another process works on this folder: lock" : "lock", path,
                    errno);
    }
    return std::make_unique<PosixFolderLock>(std::move(*descriptor));
  }

  DiskResult<std::unique_ptr<File>> create(const std::string& path) override {
    return open_file("create", path, O_CREAT | O_EXCL | O_RDWR);
  }

  DiskResult<std::unique_ptr<File>> open(const std::string& path) override {
    return open_file("open", path, O_RDWR | O_NOFOLLOW);
  }

  DiskResult<void> rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      return failed("rename", from, errno);
    }
    return {};
  }

  DiskResult<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) {
      return failed("remove", path, errno);
    }
    return {};
  }

  DiskResult<void> make_folder(const std::string& path) override {
    if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      return failed("make folder", path, errno);
    }
    return {};
  }

  DiskResult<void> sync_folder(const std::string& path) override {
    const auto descriptor = open_descriptor("open folder", path, O_RDONLY | O_DIRECTORY);
    if (!descriptor) {
      return std::unexpected(descriptor.error());
    }
    if (::fsync(descriptor->number()) != 0) {
      return failed("sync folder", path, errno);
    }
    return {};
  }

  DiskResult<std::vector<std::string>> list(const std::string& path) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return failed("list", path, error.value());
    }
    std::ranges::sort(names);
    return names;
  }

 private:
  static DiskResult<std::unique_ptr<File>> open_file(const std::string& operation, const std::string& path,
                                                     int flags) {
    auto descriptor = open_descriptor(operation, path, flags);
    if (!descriptor) {
      return std::unexpected(descriptor.error());
    }
    return std::make_unique<PosixFile>(std::move(*descriptor), path);
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace parley::wal
