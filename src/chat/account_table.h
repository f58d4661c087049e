// Private to chat: accounts, and the clearing up that deleted ones still need. An account that is gone keeps
// its row (id and name) for those who talked to it; its name is free again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chat/bounded_cache.h"
#include "chat/sqlite.h"
#include "chat/types.h"

namespace parley::chat {

struct AccountRow {
  AccountId id;
  std::string name;
  bool alive = false;
  std::int64_t created_at_unix_ms = 0;
  PasswordVersion password_version;
};

// Where the clearing up of a deleted account stands.
struct Deletion {
  AccountId account;
  bool told_all = false;  // every peer has its AccountGone; otherwise `after_peer` was the last
  AccountId after_peer;
};

class AccountTable {
 public:
  AccountTable(SQLite::Database& db, std::size_t cache_limit);
  void forget_cached();

  [[nodiscard]] std::optional<AccountRow> find(AccountId id);
  [[nodiscard]] std::optional<AccountRow> find_alive(const std::string& name);
  [[nodiscard]] std::string password_hash(AccountId id);

  void insert(const AccountRow& row, const std::string& password_hash);
  void set_password(AccountId id, PasswordVersion version, const std::string& password_hash);
  void mark_gone(AccountId id);

  void put_deletion(const Deletion& deletion);
  void erase_deletion(AccountId id);
  // The oldest account first.
  [[nodiscard]] std::optional<Deletion> next_deletion();
  // Kept in memory.
  [[nodiscard]] bool has_deletions();

  // Names after `after` (and not before `from`) in order, at most `limit`.
  [[nodiscard]] std::vector<AccountRow> names_from(const std::string& from, const std::string& after,
                                                   std::size_t limit);

 private:
  Prepared find_;
  Prepared find_name_;
  Prepared find_hash_;
  Prepared insert_;
  Prepared set_password_;
  Prepared mark_gone_;
  Prepared put_deletion_;
  Prepared erase_deletion_;
  Prepared next_deletion_;
  Prepared names_from_;
  BoundedCache<AccountId, AccountRow> by_id_;
  BoundedCache<std::string, AccountId> by_name_;
  std::optional<bool> has_deletions_;
};

}  // namespace parley::chat
