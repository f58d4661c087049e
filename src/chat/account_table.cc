#include "chat/account_table.h"

namespace parley::chat {

AccountTable::AccountTable(SQLite::Database& db, std::size_t cache_limit)
    : find_(db, "SELECT id, name, alive, created_at_unix_ms, password_version FROM account WHERE id = ?"),
      find_name_(db, "SELECT id FROM account WHERE name = ? AND alive = 1"),
      find_hash_(db, "SELECT password_hash FROM account WHERE id = ?"),
      insert_(db,
              "INSERT INTO account (id, name, alive, created_at_unix_ms, password_version, password_hash) "
              "VALUES (?, ?, 1, ?, ?, ?)"),
      set_password_(db, "UPDATE account SET password_version = ?, password_hash = ? WHERE id = ?"),
      mark_gone_(db, "UPDATE account SET alive = 0, password_hash = '' WHERE id = ?"),
      put_deletion_(db, "INSERT OR REPLACE INTO deletion (account, told_all, after_peer) VALUES (?, ?, ?)"),
      erase_deletion_(db, "DELETE FROM deletion WHERE account = ?"),
      next_deletion_(db, "SELECT account, told_all, after_peer FROM deletion ORDER BY account LIMIT 1"),
      names_from_(db,
                  "SELECT id, name, alive, created_at_unix_ms, password_version FROM account "
                  "WHERE alive = 1 AND name >= ? AND name > ? ORDER BY name LIMIT ?"),
      by_id_(cache_limit),
      by_name_(cache_limit) {}

namespace {

AccountRow read_account(const Run& run) {
  return {.id = run.id<AccountId>(0),
          .name = run.text(1),
          .alive = run.integer(2) == 1,
          .created_at_unix_ms = run.integer(3),
          .password_version = run.id<PasswordVersion>(4)};
}

}  // namespace

void AccountTable::forget_cached() {
  by_id_.clear();
  by_name_.clear();
  has_deletions_.reset();
}

std::optional<AccountRow> AccountTable::find(AccountId id) {
  if (const AccountRow* cached = by_id_.find(id)) {
    return *cached;
  }
  Run run(find_, id);
  if (!run.step()) {
    return std::nullopt;
  }
  return by_id_.put(id, read_account(run));
}

std::optional<AccountRow> AccountTable::find_alive(const std::string& name) {
  if (const AccountId* cached = by_name_.find(name)) {
    return find(*cached);
  }
  Run run(find_name_, name);
  if (!run.step()) {
    return std::nullopt;
  }
  return find(by_name_.put(name, run.id<AccountId>(0)));
}

std::string AccountTable::password_hash(AccountId id) {
  Run run(find_hash_, id);
  return run.step() ? run.text(0) : std::string();
}

void AccountTable::insert(const AccountRow& row, const std::string& password_hash) {
  Run(insert_, row.id, row.name, row.created_at_unix_ms, row.password_version, password_hash).finish();
}

void AccountTable::set_password(AccountId id, PasswordVersion version, const std::string& password_hash) {
  by_id_.erase(id);
  Run(set_password_, version, password_hash, id).finish();
}

void AccountTable::mark_gone(AccountId id) {
  if (const auto row = find(id)) {
    by_name_.erase(row->name);
  }
  by_id_.erase(id);
  Run(mark_gone_, id).finish();
}

void AccountTable::put_deletion(const Deletion& deletion) {
  has_deletions_ = true;
  Run(put_deletion_, deletion.account, deletion.told_all ? 1 : 0, deletion.after_peer).finish();
}

void AccountTable::erase_deletion(AccountId id) {
  has_deletions_.reset();
  Run(erase_deletion_, id).finish();
}

bool AccountTable::has_deletions() {
  if (!has_deletions_) {
    has_deletions_ = next_deletion().has_value();
  }
  return *has_deletions_;
}

std::optional<Deletion> AccountTable::next_deletion() {
  Run run(next_deletion_);
  if (!run.step()) {
    return std::nullopt;
  }
  return Deletion{
      .account = run.id<AccountId>(0), .told_all = run.integer(1) == 1, .after_peer = run.id<AccountId>(2)};
}

std::vector<AccountRow> AccountTable::names_from(const std::string& from, const std::string& after,
                                                 std::size_t limit) {
  std::vector<AccountRow> rows;
  Run run(names_from_, from, after, static_cast<std::int64_t>(limit));
  while (run.step()) {
    rows.push_back(read_account(run));
  }
  return rows;
}

}  // namespace parley::chat
