#include "chat/session_table.h"

namespace parley::chat {

SessionTable::SessionTable(SQLite::Database& db, std::size_t cache_limit)
    : find_(db, "SELECT position, hash, account, created_ms, expires_ms FROM session WHERE hash = ?"),
      of_(db,
          "SELECT position, hash, account, created_ms, expires_ms FROM session WHERE account = ? "
          "ORDER BY position"),
      oldest_(
          db,
          "SELECT position, hash, account, created_ms, expires_ms FROM session ORDER BY position LIMIT ?"),
      insert_(db,
              "INSERT INTO session (position, hash, account, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)"),
      erase_(db, "DELETE FROM session WHERE position = ?"),
      by_hash_(cache_limit) {}

namespace {

SessionRow read_session(const Run& run) {
  SessionRow row;
  row.position = run.id<Position>(0);
  row.hash.bytes = run.array<decltype(row.hash.bytes)>(1);
  row.account = run.id<AccountId>(2);
  row.created_ms = run.integer(3);
  row.expires_ms = run.integer(4);
  return row;
}

std::vector<SessionRow> read_sessions(Run& run) {
  std::vector<SessionRow> rows;
  while (run.step()) {
    rows.push_back(read_session(run));
  }
  return rows;
}

}  // namespace

void SessionTable::forget_cached() {
  by_hash_.clear();
  first_known_ = false;
}

std::optional<SessionRow> SessionTable::find(const SessionHash& hash) {
  if (const SessionRow* cached = by_hash_.find(hash)) {
    return *cached;
  }
  Run run(find_, blob_of(hash.bytes));
  if (!run.step()) {
    return std::nullopt;
  }
  return by_hash_.put(hash, read_session(run));
}

std::vector<SessionRow> SessionTable::of(AccountId account) {
  Run run(of_, account);
  return read_sessions(run);
}

std::vector<SessionRow> SessionTable::oldest(std::size_t limit) {
  Run run(oldest_, static_cast<std::int64_t>(limit));
  return read_sessions(run);
}

std::optional<std::int64_t> SessionTable::first_expiry_ms() {
  if (!first_known_) {
    const auto rows = oldest(1);
    first_ = rows.empty() ? std::nullopt : std::optional(rows.front());
    first_known_ = true;
  }
  return first_ ? std::optional(first_->expires_ms) : std::nullopt;
}

void SessionTable::insert(const SessionRow& row) {
  if (first_known_ && !first_) {
    first_ = row;
  }
  Run(insert_, row.position, blob_of(row.hash.bytes), row.account, row.created_ms, row.expires_ms).finish();
}

void SessionTable::erase(const SessionRow& row) {
  by_hash_.erase(row.hash);
  if (first_ && first_->position == row.position) {
    first_known_ = false;
  }
  Run(erase_, row.position).finish();
}

}  // namespace parley::chat
