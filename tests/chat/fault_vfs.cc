#include "tests/chat/fault_vfs.h"

#include <cstdlib>
#include <utility>

namespace parley::chat::testing {

// SQLite gives szOsFile bytes to each file: ours first, the real one behind.
struct FaultVfs::File {
  sqlite3_file base;
  FaultVfs* owner;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct FaultVfs::Methods {
  static File& file(sqlite3_file* f) { return *reinterpret_cast<File*>(f); }
  static sqlite3_file* real(sqlite3_file* f) { return file(f).real(); }
  static FaultVfs& owner(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* f, int flags, int* out_flags) {
    FaultVfs& self = owner(vfs);
    const int code = self.real_->xOpen(self.real_, name, real(f), flags, out_flags);
    file(f).owner = &self;
    f->pMethods = real(f)->pMethods != nullptr ? &self.methods_ : nullptr;
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync) {
    return owner(vfs).real_->xDelete(owner(vfs).real_, name, sync);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return owner(vfs).real_->xAccess(owner(vfs).real_, name, flags, out);
  }
  static int full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return owner(vfs).real_->xFullPathname(owner(vfs).real_, name, size, out);
  }

  static int close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
  static int read(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), to, size, at);
  }
  static int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
    FaultVfs& self = *file(f).owner;
    ++self.writes_;
    if (self.writes_left_ == 0) {
      ++self.failures_;
      return self.write_code_;
    }
    if (self.writes_left_ > 0) {
      --self.writes_left_;
    }
    return real(f)->pMethods->xWrite(real(f), from, size, at);
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    return real(f)->pMethods->xTruncate(real(f), size);
  }
  static int sync(sqlite3_file* f, int flags) {
    FaultVfs& self = *file(f).owner;
    ++self.syncs_;
    if (self.syncs_fail_) {
      ++self.failures_;
      return SQLITE_IOERR_FSYNC;
    }
    return real(f)->pMethods->xSync(real(f), flags);
  }
  static int size(sqlite3_file* f, sqlite3_int64* out) { return real(f)->pMethods->xFileSize(real(f), out); }
  static int lock(sqlite3_file* f, int kind) { return real(f)->pMethods->xLock(real(f), kind); }
  static int unlock(sqlite3_file* f, int kind) { return real(f)->pMethods->xUnlock(real(f), kind); }
  static int check_lock(sqlite3_file* f, int* out) {
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
  }
  static int control(sqlite3_file* f, int op, void* argument) {
    return real(f)->pMethods->xFileControl(real(f), op, argument);
  }
  static int sector_size(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
  static int characteristics(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
  static int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* f, int offset, int count, int flags) {
    return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
  static int shm_unmap(sqlite3_file* f, int remove_it) {
    return real(f)->pMethods->xShmUnmap(real(f), remove_it);
  }
};

FaultVfs::FaultVfs(std::string name) : name_(std::move(name)), real_(sqlite3_vfs_find(nullptr)) {
  methods_.iVersion = 2;
  methods_.xClose = Methods::close;
  methods_.xRead = Methods::read;
  methods_.xWrite = Methods::write;
  methods_.xTruncate = Methods::truncate;
  methods_.xSync = Methods::sync;
  methods_.xFileSize = Methods::size;
  methods_.xLock = Methods::lock;
  methods_.xUnlock = Methods::unlock;
  methods_.xCheckReservedLock = Methods::check_lock;
  methods_.xFileControl = Methods::control;
  methods_.xSectorSize = Methods::sector_size;
  methods_.xDeviceCharacteristics = Methods::characteristics;
  methods_.xShmMap = Methods::shm_map;
  methods_.xShmLock = Methods::shm_lock;
  methods_.xShmBarrier = Methods::shm_barrier;
  methods_.xShmUnmap = Methods::shm_unmap;
  vfs_ = *real_;  // what is not ours is the real one's, but for whom it is told about
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Methods::open;
  vfs_.xDelete = Methods::remove;
  vfs_.xAccess = Methods::access;
  vfs_.xFullPathname = Methods::full_path;
  if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) {
    std::abort();
  }
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }

void FaultVfs::fail_writes_after(std::int64_t writes, int code) {
  writes_left_ = writes;
  write_code_ = code;
}

void FaultVfs::heal() {
  writes_left_ = -1;
  syncs_fail_ = false;
}

}  // namespace parley::chat::testing
