// Private to chat: SQLite through SQLiteCpp. Statements are prepared at first use and kept; one run of a
// statement is a value that resets it at the end of its scope, so that no cursor stays open. Errors are
// exceptions inside chat and become StateError at its public edge. Owned by: StateMachine or Reader; the
// thread that owns that.
#pragma once

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/strong_id.h"
#include "chat/state_machine.h"

namespace parley::chat {

// Thrown where SQLite itself has no complaint, but the state is not what it must be.
struct StateFailure {
  StateError error;
};
[[noreturn]] void throw_damaged(std::string what);

// `sync_failed`: what was written may be gone although the kernel shows it; the file must be opened anew.
struct Failure {
  StateError error;
  bool sync_failed = false;
};
[[nodiscard]] Failure describe(const SQLite::Exception& thrown);

// The one connection that writes: WAL, synchronous=NORMAL, no automatic checkpoints; file mode 0600.
[[nodiscard]] std::unique_ptr<SQLite::Database> open_for_writing(const StateOptions& options);
[[nodiscard]] std::unique_ptr<SQLite::Database> open_for_reading(const StateOptions& options);

class Prepared {
 public:
  Prepared(SQLite::Database& db, const char* sql) : db_(db), sql_(sql) {}
  [[nodiscard]] SQLite::Statement& get() {
    if (!statement_) {
      statement_.emplace(db_, sql_);
    }
    return *statement_;
  }

 private:
  SQLite::Database& db_;
  const char* sql_;
  std::optional<SQLite::Statement> statement_;
};

// What is bound must live until the run's end: texts are not copied.
struct Blob {
  std::string_view bytes;
};
template <class Array>
[[nodiscard]] Blob blob_of(const Array& array) {
  return {{reinterpret_cast<const char*>(array.data()), array.size()}};
}

class Run {
 public:
  template <class... Values>
  explicit Run(Prepared& prepared, const Values&... values) : statement_(prepared.get()) {
    int index = 0;
    (bind(++index, values), ...);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { statement_.tryReset(); }

  // Whether there is a (further) row.
  [[nodiscard]] bool step() { return statement_.executeStep(); }
  // For a statement without rows.
  void finish() { statement_.exec(); }
  [[nodiscard]] int changes() const { return statement_.getChanges(); }

  [[nodiscard]] std::int64_t integer(int column) const { return statement_.getColumn(column).getInt64(); }
  [[nodiscard]] std::uint64_t number(int column) const {
    return static_cast<std::uint64_t>(statement_.getColumn(column).getInt64());
  }
  template <class Id>
  [[nodiscard]] Id id(int column) const {
    return Id(static_cast<typename Id::rep>(statement_.getColumn(column).getInt64()));
  }
  [[nodiscard]] std::string text(int column) const { return statement_.getColumn(column).getString(); }
  // The bytes of exactly this array.
  template <class Array>
  [[nodiscard]] Array array(int column) const {
    const auto value = statement_.getColumn(column);
    Array out{};
    if (value.getBytes() != static_cast<int>(out.size())) {
      throw_damaged("a column of " + std::to_string(value.getBytes()) + " bytes");
    }
    const auto* from = static_cast<const char*>(value.getBlob());
    std::copy_n(from, out.size(), reinterpret_cast<char*>(out.data()));
    return out;
  }

 private:
  void bind(int index, std::int64_t value) { statement_.bind(index, value); }
  void bind(int index, int value) { statement_.bind(index, value); }
  void bind(int index, std::uint64_t value) { statement_.bind(index, static_cast<std::int64_t>(value)); }
  template <class Tag, class Rep>
  void bind(int index, base::StrongId<Tag, Rep> id) {
    statement_.bind(index, static_cast<std::int64_t>(id.value()));
  }
  void bind(int index, const std::string& text) { statement_.bindNoCopy(index, text); }
  void bind(int index, Blob blob) {
    const char* data = blob.bytes.empty() ? "" : blob.bytes.data();  // a null pointer would be NULL
    statement_.bindNoCopy(index, static_cast<const void*>(data), static_cast<int>(blob.bytes.size()));
  }

  SQLite::Statement& statement_;
};

}  // namespace parley::chat
