// FaultyFileSystem: a disk in memory that behaves as badly as a real one may. What was written and not synced
// can be lost at a power failure, whole or in parts of 512-byte sectors; names, of folders too, are not
// durable before the folder that they are in is synced; any operation can be made to fail; after a failed
// fdatasync what it should have written counts as clean, so that the next one succeeds without it (as Linux
// does); it fills up. The same seed and the same calls give the same faults. Owned by: a test or the
// simulator. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "wal/file_system.h"

namespace parley::sim {

// What happens to one operation.
enum class DiskFault : std::uint8_t {
  fails,         // EIO; a write or sync may have been done in part
  power_fails,   // the same, and every later one fails until crash()
  out_of_space,  // ENOSPC, once
};

class FaultyFileSystem final : public wal::FileSystem {
 public:
  explicit FaultyFileSystem(std::uint64_t seed) : random_(seed) {}

  // --- Faults ---
  // The operation after `operations` more ones (0: the very next) meets `fault`.
  void inject(DiskFault fault, std::uint64_t operations);
  // The next sync_data of any file fails.
  void fail_next_sync();
  void clear_faults();
  // Whether an injected fault has happened since inject().
  [[nodiscard]] bool has_injected() const;
  // From now on, no more than this in all files together.
  void set_capacity_bytes(std::uint64_t capacity_bytes);
  // A disk that acknowledges syncs and does nothing.
  void lie_about_syncs(bool lies);
  // Power failure: every open handle is dead, of what was not synced a seeded part is lost.
  void crash();
  // The process dies, the machine lives: every open handle is dead, nothing is lost.
  void kill();

  // --- What a test looks at and damages; not counted as operations ---
  [[nodiscard]] std::uint64_t operation_count() const;
  [[nodiscard]] std::uint64_t sync_count() const;  // of sync_data
  [[nodiscard]] std::uint64_t times_full() const;  // writes that found no space
  [[nodiscard]] std::vector<std::string> files() const;
  [[nodiscard]] std::string content(const std::string& path) const;
  // Made if it is not there; durable at once, with its folders.
  void set_content(const std::string& path, std::string content);
  void remove_for_good(const std::string& path);

  // --- wal::FileSystem ---
  wal::DiskResult<std::unique_ptr<wal::FolderLock>> lock_folder(const std::string& path) override;
  wal::DiskResult<std::unique_ptr<wal::File>> create(const std::string& path) override;
  wal::DiskResult<std::unique_ptr<wal::File>> open(const std::string& path) override;
  wal::DiskResult<void> rename(const std::string& from, const std::string& to) override;
  wal::DiskResult<void> remove(const std::string& path) override;
  wal::DiskResult<void> make_folder(const std::string& path) override;
  wal::DiskResult<void> sync_folder(const std::string& path) override;
  wal::DiskResult<std::vector<std::string>> list(const std::string& path) override;

 private:
  class Handle;
  class Lock;
  using InodeId = std::uint64_t;

  struct Inode {
    std::string cached;   // what reads see
    std::string durable;  // what a power failure leaves
    // Sectors written since the last sync, with each version that may have reached the disk.
    std::map<std::uint64_t, std::vector<std::string>> dirty;
  };
  // A change of names that its folder has not synced yet. Each happens as a whole or not at all.
  struct NameChange {
    std::string folder;
    std::string erased;  // empty: none
    std::string bound;   // empty: none
    InodeId inode = 0;
  };
  using Names = std::map<std::string, InodeId>;

  // The next operation's number is taken; an error if it has to fail.
  [[nodiscard]] std::optional<int> begin_operation();
  [[nodiscard]] bool coin() { return (random_() & 1) != 0; }
  void change_names(NameChange change);
  static void apply(Names& names, const NameChange& change);
  void lose_unsynced(Inode& inode);
  static void put_sector(std::string& content, std::uint64_t sector, const std::string& bytes);
  void mark_dirty(Inode& inode, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::optional<int> write(InodeId id, std::uint64_t offset_bytes, std::string_view bytes);
  [[nodiscard]] std::optional<int> sync(InodeId id);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<InodeId, Inode> inodes_;
  Names cached_names_;
  Names durable_names_;
  std::vector<NameChange> pending_names_;
  std::set<std::string> cached_folders_;
  std::set<std::string> durable_folders_;
  std::set<std::string> locked_;
  InodeId next_inode_ = 1;
  std::uint64_t life_ = 0;  // handles of an earlier one are dead
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t times_full_ = 0;
  std::map<std::uint64_t, DiskFault> faults_;  // by operation number
  bool next_sync_fails_ = false;
  bool has_injected_ = false;
  bool power_is_off_ = false;
  bool lies_ = false;
  std::uint64_t capacity_bytes_ = UINT64_MAX;
};

}  // namespace parley::sim
