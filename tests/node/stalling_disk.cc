#include "tests/node/stalling_disk.h"

#include <cerrno>
#include <utility>

namespace parley::node::testing {
namespace {

class StallingFile final : public wal::File {
 public:
  StallingFile(std::unique_ptr<wal::File> real, StallingDisk& disk, std::string path)
      : real_(std::move(real)), disk_(disk), path_(std::move(path)) {}
  [[nodiscard]] wal::DiskResult<void> write_at(std::uint64_t offset_bytes, std::string_view bytes) override {
    return real_->write_at(offset_bytes, bytes);
  }
  [[nodiscard]] wal::DiskResult<std::string> read_at(std::uint64_t offset_bytes,
                                                     std::size_t size_bytes) override {
    return real_->read_at(offset_bytes, size_bytes);
  }
  [[nodiscard]] wal::DiskResult<std::uint64_t> size_bytes() override { return real_->size_bytes(); }
  [[nodiscard]] wal::DiskResult<void> sync_data() override {
    if (!disk_.may_sync()) {
      return std::unexpected(wal::DiskError{.operation = "fdatasync", .path = path_, .errno_value = EIO});
    }
    auto synced = real_->sync_data();
    if (synced) {
      disk_.has_synced();
    }
    return synced;
  }

 private:
  std::unique_ptr<wal::File> real_;
  StallingDisk& disk_;
  const std::string path_;
};

}  // namespace

void StallingDisk::set_stalled(bool stalled) {
  {
    const std::scoped_lock lock(mutex_);
    is_stalled_ = stalled;
  }
  changed_.notify_all();
}

void StallingDisk::fail_syncs() {
  {
    const std::scoped_lock lock(mutex_);
    is_failing_ = true;
  }
  changed_.notify_all();
}

bool StallingDisk::may_sync() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !is_stalled_ || is_failing_; });
  return !is_failing_;
}

wal::DiskResult<std::unique_ptr<wal::FolderLock>> StallingDisk::lock_folder(const std::string& path) {
  return real_->lock_folder(path);
}
wal::DiskResult<std::unique_ptr<wal::File>> StallingDisk::create(const std::string& path) {
  auto file = real_->create(path);
  if (!file) {
    return file;
  }
  return std::make_unique<StallingFile>(std::move(*file), *this, path);
}
wal::DiskResult<std::unique_ptr<wal::File>> StallingDisk::open(const std::string& path) {
  auto file = real_->open(path);
  if (!file) {
    return file;
  }
  return std::make_unique<StallingFile>(std::move(*file), *this, path);
}
wal::DiskResult<void> StallingDisk::rename(const std::string& from, const std::string& to) {
  return real_->rename(from, to);
}
wal::DiskResult<void> StallingDisk::remove(const std::string& path) { return real_->remove(path); }
wal::DiskResult<void> StallingDisk::make_folder(const std::string& path) { return real_->make_folder(path); }
wal::DiskResult<void> StallingDisk::sync_folder(const std::string& path) { return real_->sync_folder(path); }
wal::DiskResult<std::vector<std::string>> StallingDisk::list(const std::string& path) {
  return real_->list(path);
}

}  // namespace parley::node::testing
