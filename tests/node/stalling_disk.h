// StallingDisk: the real file system, whose syncs a test can count, hold up or fail. Owned by: one test;
// outlives the node that uses it. Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "wal/file_system.h"

namespace parley::node::testing {

class StallingDisk final : public wal::FileSystem {
 public:
  // While stalled, a sync does not return.
  void set_stalled(bool stalled);
  // From now on every sync fails with EIO.
  void fail_syncs();
  // That have ended well.
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

  // FileSystem
  [[nodiscard]] wal::DiskResult<std::unique_ptr<wal::FolderLock>> lock_folder(
      const std::string& path) override;
  [[nodiscard]] wal::DiskResult<std::unique_ptr<wal::File>> create(const std::string& path) override;
  [[nodiscard]] wal::DiskResult<std::unique_ptr<wal::File>> open(const std::string& path) override;
  [[nodiscard]] wal::DiskResult<void> rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] wal::DiskResult<void> remove(const std::string& path) override;
  [[nodiscard]] wal::DiskResult<void> make_folder(const std::string& path) override;
  [[nodiscard]] wal::DiskResult<void> sync_folder(const std::string& path) override;
  [[nodiscard]] wal::DiskResult<std::vector<std::string>> list(const std::string& path) override;

  // What a file's sync asks first: returns when it may go on; false: it fails.
  [[nodiscard]] bool may_sync();
  void has_synced() { ++syncs_; }

 private:
  std::unique_ptr<wal::FileSystem> real_ = wal::make_posix_file_system();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_stalled_ = false;
  bool is_failing_ = false;
  std::atomic<std::uint64_t> syncs_{0};
};

}  // namespace parley::node::testing
