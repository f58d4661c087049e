#include "tests/node/failing_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include "base/ensure.h"

namespace parley::node::testing {

struct FailingVfs::State {
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
  std::atomic<bool> is_full{false};
};

namespace {

// SQLite gives each file szOsFile bytes: ours in front, the real VFS's behind.
struct ShimFile {
  sqlite3_file base;
  std::atomic<bool>* is_full;
  sqlite3_io_methods methods;
};

sqlite3_file* real_file(sqlite3_file* file) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(ShimFile));
}
ShimFile* shim(sqlite3_file* file) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  return reinterpret_cast<ShimFile*>(file);
}

int shim_close(sqlite3_file* file) { return real_file(file)->pMethods->xClose(real_file(file)); }
int shim_read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  return real_file(file)->pMethods->xRead(real_file(file), to, bytes, at);
}
int shim_write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  if (*shim(file)->is_full) {
    return SQLITE_FULL;
  }
  return real_file(file)->pMethods->xWrite(real_file(file), from, bytes, at);
}
int shim_truncate(sqlite3_file* file, sqlite3_int64 bytes) {
  return real_file(file)->pMethods->xTruncate(real_file(file), bytes);
}
int shim_sync(sqlite3_file* file, int flags) {
  return real_file(file)->pMethods->xSync(real_file(file), flags);
}
int shim_size(sqlite3_file* file, sqlite3_int64* bytes) {
  return real_file(file)->pMethods->xFileSize(real_file(file), bytes);
}
int shim_lock(sqlite3_file* file, int level) {
  return real_file(file)->pMethods->xLock(real_file(file), level);
}
int shim_unlock(sqlite3_file* file, int level) {
  return real_file(file)->pMethods->xUnlock(real_file(file), level);
}
int shim_reserved(sqlite3_file* file, int* result) {
  return real_file(file)->pMethods->xCheckReservedLock(real_file(file), result);
}
int shim_control(sqlite3_file* file, int operation, void* argument) {
  return real_file(file)->pMethods->xFileControl(real_file(file), operation, argument);
}
int shim_sector(sqlite3_file* file) { return real_file(file)->pMethods->xSectorSize(real_file(file)); }
int shim_device(sqlite3_file* file) {
  return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}
int shim_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
  return real_file(file)->pMethods->xShmMap(real_file(file), region, bytes, extend, out);
}
int shim_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real_file(file)->pMethods->xShmLock(real_file(file), offset, count, flags);
}
void shim_barrier(sqlite3_file* file) { real_file(file)->pMethods->xShmBarrier(real_file(file)); }
int shim_unmap(sqlite3_file* file, int remove) {
  return real_file(file)->pMethods->xShmUnmap(real_file(file), remove);
}

int shim_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* state = static_cast<FailingVfs::State*>(vfs->pAppData);
  file->pMethods = nullptr;
  const int code = state->real->xOpen(state->real, name, real_file(file), flags, out_flags);
  if (code != SQLITE_OK) {
    return code;
  }
  ShimFile* own = shim(file);
  own->is_full = &state->is_full;
  own->methods = {.iVersion = 2,
                  .xClose = shim_close,
                  .xRead = shim_read,
                  .xWrite = shim_write,
                  .xTruncate = shim_truncate,
                  .xSync = shim_sync,
                  .xFileSize = shim_size,
                  .xLock = shim_lock,
                  .xUnlock = shim_unlock,
                  .xCheckReservedLock = shim_reserved,
                  .xFileControl = shim_control,
                  .xSectorSize = shim_sector,
                  .xDeviceCharacteristics = shim_device,
                  .xShmMap = shim_map,
                  .xShmLock = shim_shm_lock,
                  .xShmBarrier = shim_barrier,
                  .xShmUnmap = shim_unmap,
                  .xFetch = nullptr,
                  .xUnfetch = nullptr};
  file->pMethods = &own->methods;
  return SQLITE_OK;
}

}  // namespace

FailingVfs::FailingVfs(std::string name) : state_(std::make_unique<State>()) {
  state_->name = std::move(name);
  state_->real = sqlite3_vfs_find(nullptr);
  base::ensure(state_->real != nullptr, "SQLite has a default VFS");
  state_->vfs = *state_->real;
  state_->vfs.pNext = nullptr;
  state_->vfs.zName = state_->name.c_str();
  state_->vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + state_->real->szOsFile;
  state_->vfs.pAppData = state_.get();
  state_->vfs.xOpen = shim_open;
  base::ensure(sqlite3_vfs_register(&state_->vfs, 0) == SQLITE_OK, "a VFS can be registered");
}

FailingVfs::~FailingVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& FailingVfs::name() const { return state_->name; }

void FailingVfs::set_full(bool full) { state_->is_full = full; }

}  // namespace parley::node::testing
