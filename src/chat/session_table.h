// Private to chat: sessions, each under the position that opened it. All live equally long in cluster time,
// which never goes back, so the order of positions is the order of expiry.
#pragma once

#include <cstring>
#include <optional>
#include <vector>

#include "chat/bounded_cache.h"
#include "chat/sqlite.h"
#include "chat/types.h"

namespace parley::chat {

struct SessionRow {
  Position position;
  SessionHash hash;
  AccountId account;
  std::int64_t created_ms = 0;  // cluster time
  std::int64_t expires_ms = 0;
};

struct SessionHashHash {
  std::size_t operator()(const SessionHash& hash) const noexcept {
    std::size_t value = 0;  // a cryptographic hash: any of its bytes do
    std::memcpy(&value, hash.bytes.data(), sizeof(value));
    return value;
  }
};

class SessionTable {
 public:
  SessionTable(SQLite::Database& db, std::size_t cache_limit);
  void forget_cached();

  [[nodiscard]] std::optional<SessionRow> find(const SessionHash& hash);
  // The sessions of an account, oldest first.
  [[nodiscard]] std::vector<SessionRow> of(AccountId account);
  // The first to expire, at most `limit`.
  [[nodiscard]] std::vector<SessionRow> oldest(std::size_t limit);

  // When the first of all expires; kept in memory.
  [[nodiscard]] std::optional<std::int64_t> first_expiry_ms();

  void insert(const SessionRow& row);
  void erase(const SessionRow& row);

 private:
  Prepared find_;
  Prepared of_;
  Prepared oldest_;
  Prepared insert_;
  Prepared erase_;
  BoundedCache<SessionHash, SessionRow, SessionHashHash> by_hash_;
  std::optional<SessionRow> first_;
  bool first_known_ = false;
};

}  // namespace parley::chat
