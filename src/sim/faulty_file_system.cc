#include "sim/faulty_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/ensure.h"

namespace parley::sim {
namespace {

using wal::DiskError;
using wal::DiskResult;

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::size_t kMaxVersions = 3;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::unexpected<DiskError> failed(std::string operation, const std::string& path, int errno_value) {
  return std::unexpected(
      DiskError{.operation = std::move(operation), .path = path, .errno_value = errno_value});
}

}  // namespace

class FaultyFileSystem::Handle final : public wal::File {
 public:
  Handle(FaultyFileSystem& disk, InodeId inode, std::string path)
      : disk_(disk), inode_(inode), life_(disk.life_), path_(std::move(path)) {}

  DiskResult<void> write_at(std::uint64_t offset_bytes, std::string_view bytes) override {
    const std::scoped_lock lock(disk_.mutex_);
    if (life_ != disk_.life_) return failed("write", path_, EBADF);
    if (const auto error = disk_.write(inode_, offset_bytes, bytes)) return failed("write", path_, *error);
    return {};
  }

  DiskResult<std::string> read_at(std::uint64_t offset_bytes, std::size_t size_bytes) override {
    const std::scoped_lock lock(disk_.mutex_);
    if (life_ != disk_.life_) return failed("read", path_, EBADF);
    if (const auto error = disk_.begin_operation()) return failed("read", path_, *error);
    const std::string& content = disk_.inodes_.at(inode_).cached;
    if (offset_bytes >= content.size()) return std::string();
    return content.substr(offset_bytes, size_bytes);
  }

  DiskResult<std::uint64_t> size_bytes() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (life_ != disk_.life_) return failed("stat", path_, EBADF);
    if (const auto error = disk_.begin_operation()) return failed("stat", path_, *error);
    return disk_.inodes_.at(inode_).cached.size();
  }

  DiskResult<void> sync_data() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (life_ != disk_.life_) return failed("fdatasync", path_, EBADF);
    if (const auto error = disk_.sync(inode_)) return failed("fdatasync", path_, *error);
    return {};
  }

 private:
  FaultyFileSystem& disk_;
  InodeId inode_;
  std::uint64_t life_;
  std::string path_;
};

class FaultyFileSystem::Lock final : public wal::FolderLock {
 public:
  Lock(FaultyFileSystem& disk, std::string folder)
      : disk_(disk), folder_(std::move(folder)), life_(disk.life_) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (life_ == disk_.life_) disk_.locked_.erase(folder_);
  }

 private:
  FaultyFileSystem& disk_;
  std::string folder_;
  std::uint64_t life_;
};

void FaultyFileSystem::inject(DiskFault fault, std::uint64_t operations) {
  const std::scoped_lock lock(mutex_);
  faults_[operations_ + operations] = fault;
  has_injected_ = false;
}

void FaultyFileSystem::fail_next_sync() {
  const std::scoped_lock lock(mutex_);
  next_sync_fails_ = true;
  has_injected_ = false;
}

void FaultyFileSystem::clear_faults() {
  const std::scoped_lock lock(mutex_);
  faults_.clear();
  next_sync_fails_ = false;
}

bool FaultyFileSystem::has_injected() const {
  const std::scoped_lock lock(mutex_);
  return has_injected_;
}

void FaultyFileSystem::set_capacity_bytes(std::uint64_t capacity_bytes) {
  const std::scoped_lock lock(mutex_);
  capacity_bytes_ = capacity_bytes;
}

void FaultyFileSystem::lie_about_syncs(bool lies) {
  const std::scoped_lock lock(mutex_);
  lies_ = lies;
}

void FaultyFileSystem::kill() {
  const std::scoped_lock lock(mutex_);
  ++life_;
  locked_.clear();
}

void FaultyFileSystem::crash() {
  const std::scoped_lock lock(mutex_);
  ++life_;
  locked_.clear();
  power_is_off_ = false;
  faults_.clear();
  next_sync_fails_ = false;
  // A journal keeps the order of changes, but nothing that we rely on: half of the time any subset stays.
  const bool keeps_order = coin();
  for (const NameChange& change : pending_names_) {
    if (coin()) {
      apply(durable_names_, change);
    } else if (keeps_order) {
      break;
    }
  }
  pending_names_.clear();
  // What is in a folder goes with it. A folder comes before those that are in it.
  std::erase_if(durable_folders_, [this](const std::string& folder) {
    const std::string parent = folder_of(folder);
    return parent != "." && !durable_folders_.contains(parent);
  });
  cached_folders_ = durable_folders_;
  std::erase_if(durable_names_, [this](const auto& name) {
    const std::string folder = folder_of(name.first);
    return folder != "." && !durable_folders_.contains(folder);
  });
  cached_names_ = durable_names_;
  std::set<InodeId> linked;
  for (const auto& [name, inode] : cached_names_) linked.insert(inode);
  std::erase_if(inodes_, [&](const auto& inode) { return !linked.contains(inode.first); });
  for (auto& [id, inode] : inodes_) {
    lose_unsynced(inode);
    inode.cached = inode.durable;
  }
}

std::uint64_t FaultyFileSystem::operation_count() const {
  const std::scoped_lock lock(mutex_);
  return operations_;
}

std::uint64_t FaultyFileSystem::sync_count() const {
  const std::scoped_lock lock(mutex_);
  return syncs_;
}

std::uint64_t FaultyFileSystem::times_full() const {
  const std::scoped_lock lock(mutex_);
  return times_full_;
}

std::vector<std::string> FaultyFileSystem::files() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : cached_names_) paths.push_back(path);
  return paths;
}

std::string FaultyFileSystem::content(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  return inodes_.at(cached_names_.at(path)).cached;
}

void FaultyFileSystem::set_content(const std::string& path, std::string content) {
  const std::scoped_lock lock(mutex_);
  if (!cached_names_.contains(path)) {
    for (std::string folder = folder_of(path); folder != "."; folder = folder_of(folder)) {
      cached_folders_.insert(folder);
      durable_folders_.insert(folder);
    }
    cached_names_[path] = next_inode_++;
  }
  durable_names_[path] = cached_names_[path];
  Inode& inode = inodes_[cached_names_[path]];
  inode.cached = content;
  inode.durable = std::move(content);
  inode.dirty.clear();
}

void FaultyFileSystem::remove_for_good(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  cached_names_.erase(path);
  durable_names_.erase(path);
}

DiskResult<std::unique_ptr<wal::FolderLock>> FaultyFileSystem::lock_folder(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("lock", path, *error);
  if (!locked_.insert(path).second) return failed("lock", path, EWOULDBLOCK);
  return std::make_unique<Lock>(*this, path);
}

DiskResult<std::unique_ptr<wal::File>> FaultyFileSystem::create(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("create", path, *error);
  if (cached_names_.contains(path)) return failed("create", path, EEXIST);
  const std::string folder = folder_of(path);
  if (folder != "." && !cached_folders_.contains(folder)) return failed("create", path, ENOENT);
  const InodeId id = next_inode_++;
  inodes_.emplace(id, Inode{});
  change_names({.folder = folder, .bound = path, .inode = id});
  return std::make_unique<Handle>(*this, id, path);
}

DiskResult<std::unique_ptr<wal::File>> FaultyFileSystem::open(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("open", path, *error);
  const auto found = cached_names_.find(path);
  if (found == cached_names_.end()) return failed("open", path, ENOENT);
  return std::make_unique<Handle>(*this, found->second, path);
}

DiskResult<void> FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("rename", from, *error);
  const auto found = cached_names_.find(from);
  if (found == cached_names_.end()) return failed("rename", from, ENOENT);
  change_names({.folder = folder_of(from), .erased = from, .bound = to, .inode = found->second});
  return {};
}

DiskResult<void> FaultyFileSystem::remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("remove", path, *error);
  if (!cached_names_.contains(path)) return failed("remove", path, ENOENT);
  change_names({.folder = folder_of(path), .erased = path});
  return {};
}

DiskResult<void> FaultyFileSystem::make_folder(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("make folder", path, *error);
  const std::string parent = folder_of(path);
  if (parent != "." && !cached_folders_.contains(parent)) return failed("make folder", path, ENOENT);
  cached_folders_.insert(path);
  return {};
}

DiskResult<void> FaultyFileSystem::sync_folder(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("sync folder", path, *error);
  if (lies_) return {};
  std::erase_if(pending_names_, [&](const NameChange& change) {
    if (change.folder != path) return false;
    apply(durable_names_, change);
    return true;
  });
  for (const std::string& folder : cached_folders_) {
    if (folder_of(folder) == path) durable_folders_.insert(folder);
  }
  return {};
}

DiskResult<std::vector<std::string>> FaultyFileSystem::list(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const auto error = begin_operation()) return failed("list", path, *error);
  std::vector<std::string> names;
  for (const auto& [name, inode] : cached_names_) {
    if (folder_of(name) == path) names.push_back(name.substr(name.find_last_of('/') + 1));
  }
  return names;
}

std::optional<int> FaultyFileSystem::begin_operation() {
  const std::uint64_t number = operations_++;
  if (power_is_off_) return EIO;
  const auto fault = faults_.find(number);
  if (fault == faults_.end()) return std::nullopt;
  const DiskFault what = fault->second;
  faults_.erase(fault);
  has_injected_ = true;
  if (what == DiskFault::power_fails) power_is_off_ = true;
  return what == DiskFault::out_of_space ? ENOSPC : EIO;
}

void FaultyFileSystem::change_names(NameChange change) {
  apply(cached_names_, change);
  pending_names_.push_back(std::move(change));
}

void FaultyFileSystem::apply(Names& names, const NameChange& change) {
  if (!change.erased.empty()) names.erase(change.erased);
  if (!change.bound.empty()) names[change.bound] = change.inode;
}

std::uint64_t FaultyFileSystem::used_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, inode] : cached_names_) bytes += inodes_.at(inode).cached.size();
  return bytes;
}

std::optional<int> FaultyFileSystem::write(InodeId id, std::uint64_t offset_bytes, std::string_view bytes) {
  auto error = begin_operation();
  // A write that fails may have been done in part.
  if (error) bytes = bytes.substr(0, bytes.empty() ? 0 : random_() % bytes.size());
  Inode& inode = inodes_.at(id);
  const std::uint64_t end = offset_bytes + bytes.size();
  if (end > inode.cached.size()) {
    const std::uint64_t used = used_bytes();
    const std::uint64_t room = capacity_bytes_ > used ? capacity_bytes_ - used : 0;
    if (end - inode.cached.size() > room) {
      const std::uint64_t fits = inode.cached.size() + room;
      bytes = bytes.substr(0, fits > offset_bytes ? fits - offset_bytes : 0);
      if (!error) error = ENOSPC;
      ++times_full_;
    }
  }
  if (bytes.empty()) return error;
  if (inode.cached.size() < offset_bytes + bytes.size())
    inode.cached.resize(offset_bytes + bytes.size(), '\0');
  inode.cached.replace(offset_bytes, bytes.size(), bytes);
  mark_dirty(inode, offset_bytes, offset_bytes + bytes.size());
  return error;
}

void FaultyFileSystem::mark_dirty(Inode& inode, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t sector = begin / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    auto& versions = inode.dirty[sector];
    if (versions.size() == kMaxVersions) versions.erase(versions.begin());
    versions.push_back(inode.cached.substr(sector * kSectorBytes, kSectorBytes));
  }
}

std::optional<int> FaultyFileSystem::sync(InodeId id) {
  auto error = begin_operation();
  if (!error && std::exchange(next_sync_fails_, false)) {
    error = EIO;
    has_injected_ = true;
  }
  Inode& inode = inodes_.at(id);
  if (error) {
    // Some of it reached the disk; the rest counts as written from now on.
    if (!power_is_off_) lose_unsynced(inode);
    return error;
  }
  ++syncs_;
  if (lies_) return std::nullopt;
  for (const auto& [sector, versions] : inode.dirty) put_sector(inode.durable, sector, versions.back());
  inode.durable.resize(inode.cached.size(), '\0');
  inode.dirty.clear();
  return std::nullopt;
}

void FaultyFileSystem::put_sector(std::string& content, std::uint64_t sector, const std::string& bytes) {
  const std::uint64_t at = sector * kSectorBytes;
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size(), '\0');
  content.replace(at, bytes.size(), bytes);
}

// Writes a seeded part of what was not synced, and forgets the rest. After a power failure that is what reads
// see; after a failed sync memory still holds all of it.
void FaultyFileSystem::lose_unsynced(Inode& inode) {
  for (const auto& [sector, versions] : inode.dirty) {
    if (coin()) put_sector(inode.durable, sector, versions[random_() % versions.size()]);
  }
  inode.dirty.clear();
}

}  // namespace parley::sim
