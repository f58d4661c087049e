#include "chat/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace parley::chat {
namespace {

constexpr int kBusyTimeout_ms = 1'000;  // readers only meet a lock while the other side opens the file
constexpr std::size_t kRewriteChunkBytes = 1 << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void throw_errno(const std::string& what, const std::string& path) {
  const int error = errno;
  throw StateFailure{{.what = what + " " + path + ": " + std::strerror(error),
                      .is_disk_full = error == ENOSPC || error == EDQUOT}};
}

// SQLite gives -wal and -shm the mode of the database. A file that is there is never opened and closed here:
// that would drop the locks of this process's other connections to it.
void make_private(const std::string& path) {
  const FileDescriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made.get() < 0 && (errno != EEXIST || ::chmod(path.c_str(), 0600) != 0)) {
    throw_errno("cannot make", path);
  }
}

// After a failed fdatasync the kernel keeps the pages as if they had been written, and the next fdatasync
// succeeds without writing. So what was found in the WAL is written again, the same bytes in place, before
// SQLite builds on it.
void write_again(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) {
      return;
    }
    throw_errno("cannot open", path);
  }
  std::vector<char> chunk(kRewriteChunkBytes);
  off_t at = 0;
  while (true) {
    const ssize_t got = ::pread(file.get(), chunk.data(), chunk.size(), at);
    if (got < 0) {
      throw_errno("cannot read", path);
    }
    if (got == 0) {
      break;
    }
    if (::pwrite(file.get(), chunk.data(), static_cast<std::size_t>(got), at) != got) {
      throw_errno("cannot write", path);
    }
    at += got;
  }
  if (::fdatasync(file.get()) != 0) {
    throw_errno("cannot sync", path);
  }
}

void configure(SQLite::Database& db) {
  db.exec("PRAGMA cache_size = -32768");
  db.exec("PRAGMA temp_store = MEMORY");
  db.exec("PRAGMA trusted_schema = OFF");
  db.exec("PRAGMA cell_size_check = ON");
  sqlite3_extended_result_codes(db.getHandle(), 1);
}

}  // namespace

void throw_damaged(std::string what) {
  throw StateFailure{{.what = "damaged state: " + std::move(what), .is_damaged = true}};
}

Failure describe(const SQLite::Exception& thrown) {
  const int extended = thrown.getExtendedErrorCode();
  const int code = thrown.getErrorCode() & 0xff;
  Failure failure;
  failure.error.what = thrown.what();
  failure.error.is_disk_full = code == SQLITE_FULL;
  failure.error.is_damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  failure.sync_failed = extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC;
  return failure;
}

std::unique_ptr<SQLite::Database> open_for_writing(const StateOptions& options) {
  if (options.vfs.empty()) {  // another VFS may keep its files elsewhere
    make_private(options.path);
    write_again(options.path + "-wal");
  }
  auto db = std::make_unique<SQLite::Database>(options.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                               kBusyTimeout_ms, options.vfs);
  configure(*db);
  const std::string mode = db->execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal") {
    throw StateFailure{{.what = "SQLite cannot use a WAL here, but " + mode}};
  }
  db->exec("PRAGMA synchronous = NORMAL");
  db->exec("PRAGMA wal_autocheckpoint = 0");
  // Closing is not the time to be surprised by a checkpoint.
  sqlite3_db_config(db->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return db;
}

std::unique_ptr<SQLite::Database> open_for_reading(const StateOptions& options) {
  auto db =
      std::make_unique<SQLite::Database>(options.path, SQLite::OPEN_READONLY, kBusyTimeout_ms, options.vfs);
  configure(*db);
  db->exec("PRAGMA query_only = ON");
  return db;
}

}  // namespace parley::chat
