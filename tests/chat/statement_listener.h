// StatementListener: what SQLite really runs. Owned by: one test, one at a time in a process. Statements are
// run on one thread at a time while it listens.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <vector>

namespace parley::chat::testing {

// Listens to every connection that is opened while it lives.
class StatementListener {
 public:
  StatementListener() { connections_of(this); }
  StatementListener(const StatementListener&) = delete;
  StatementListener& operator=(const StatementListener&) = delete;
  ~StatementListener() {
    sqlite3_reset_auto_extension();
    connections_of(nullptr);
  }
  void start() {
    statements.clear();
    steps = 0;
    scanned = 0;
    listening_ = true;
  }
  void stop() { listening_ = false; }

  std::vector<std::string> statements;  // as they were run
  std::int64_t steps = 0;               // instructions of SQLite's machine
  std::int64_t scanned = 0;             // rows of full scans

 private:
  // SQLite's hook has no argument of ours.
  static StatementListener*& current() {
    static StatementListener* listener = nullptr;
    return listener;
  }
  static void connections_of(StatementListener* listener) {
    current() = listener;
    if (listener != nullptr) {
      sqlite3_auto_extension(reinterpret_cast<void (*)()>(&opened));
    }
  }
  static int opened(sqlite3* db, const char**, const void*) {
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, &traced, current());
  }
  static int traced(unsigned kind, void* self, void* statement, void* text) {
    auto& listener = *static_cast<StatementListener*>(self);
    auto* const run = static_cast<sqlite3_stmt*>(statement);
    if (!listener.listening_) {
      sqlite3_stmt_status(run, SQLITE_STMTSTATUS_VM_STEP, 1);
      sqlite3_stmt_status(run, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    } else if (kind == SQLITE_TRACE_STMT) {
      listener.statements.emplace_back(static_cast<const char*>(text));
    } else {
      listener.steps += sqlite3_stmt_status(run, SQLITE_STMTSTATUS_VM_STEP, 1);
      listener.scanned += sqlite3_stmt_status(run, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    }
    return 0;
  }

  bool listening_ = false;
};

}  // namespace parley::chat::testing
