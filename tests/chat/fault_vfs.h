// FaultVfs: SQLite's own disk access, which fails when a test says so. Owned by: a test; outlives every
// connection that was opened through it. Its thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace parley::chat::testing {

class FaultVfs {
 public:
  explicit FaultVfs(std::string name);
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  ~FaultVfs();
  [[nodiscard]] const std::string& name() const { return name_; }

  // After so many more writes all fail with this SQLite code, until heal(). Negative: never.
  void fail_writes_after(std::int64_t writes, int code);
  void fail_syncs(bool fail) { syncs_fail_ = fail; }
  void heal();
  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  struct File;
  struct Methods;
  friend struct Methods;

  std::string name_;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods methods_{};
  std::int64_t writes_left_ = -1;
  int write_code_ = 0;
  bool syncs_fail_ = false;
  std::uint64_t failures_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t syncs_ = 0;
};

}  // namespace parley::chat::testing
