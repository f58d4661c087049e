// FileSystem: the few disk operations that the log (and SQLite's shim in tests) needs. The real one is POSIX;
// the simulator's loses unsynced bytes, tears sectors, fails syncs and fills up. Owned by: the node's wiring.
// Used by the disk thread and by the helper that prepares segments; implementations allow different files
// from different threads.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace parley::wal {

struct DiskError {
  std::string operation;  // "write", "fdatasync", …
  std::string path;
  int errno_value = 0;
  [[nodiscard]] std::string describe() const;
  // Something has run out, space or file descriptors or memory: what is begun anew later may succeed.
  [[nodiscard]] bool may_pass() const;
  // Of descriptors: nothing was even tried.
  [[nodiscard]] bool is_out_of_descriptors() const;
};

template <class T>
using DiskResult = std::expected<T, DiskError>;

class File {
 public:
  virtual ~File() = default;
  // All of `bytes` at `offset_bytes`, or an error; a short write is carried on.
  [[nodiscard]] virtual DiskResult<void> write_at(std::uint64_t offset_bytes, std::string_view bytes) = 0;
  // Up to `size_bytes`; shorter only at the end of the file.
  [[nodiscard]] virtual DiskResult<std::string> read_at(std::uint64_t offset_bytes,
                                                        std::size_t size_bytes) = 0;
  [[nodiscard]] virtual DiskResult<std::uint64_t> size_bytes() = 0;
  // fdatasync: what was written is on stable storage when it returns without error. Never called again after
  // an error.
  [[nodiscard]] virtual DiskResult<void> sync_data() = 0;
};

// Held as long as it lives; a process that dies lets go of it.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // So that no two logs, of one process or of two, work on one folder. Held by another: EWOULDBLOCK.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) = 0;
  // Creates with mode 0600. An error if it is there already.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<File>> create(const std::string& path) = 0;
  // For reading and writing.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<File>> open(const std::string& path) = 0;
  // Replaces what has the name `to`. Not on stable storage before sync_folder, as create and remove.
  [[nodiscard]] virtual DiskResult<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual DiskResult<void> remove(const std::string& path) = 0;
  [[nodiscard]] virtual DiskResult<void> make_folder(
      const std::string& path) = 0;  // mode 0700; there already: fine
  [[nodiscard]] virtual DiskResult<void> sync_folder(const std::string& path) = 0;
  // Names, sorted, without "." and "..". A folder that is not there: an empty list.
  [[nodiscard]] virtual DiskResult<std::vector<std::string>> list(const std::string& path) = 0;
};

[[nodiscard]] std::unique_ptr<FileSystem> make_posix_file_system();

// Makes the folder, if it is missing, and has its name on stable storage: also that of one which an earlier
// start has made. The folder above may be somebody else's, which cannot be synced; then it is left at that.
[[nodiscard]] DiskResult<void> make_durable_folder(FileSystem& files, const std::string& path);

}  // namespace parley::wal
