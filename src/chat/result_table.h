// Private to chat: the remembered results of writes, by (request_id, owner).
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/uuid7.h"
#include "chat/account_table.h"
#include "chat/command.h"
#include "chat/result.h"
#include "chat/sqlite.h"

namespace parley::chat {

// Whom a request_id belongs to: an account, or, where there is none yet, a name.
struct ResultOwner {
  std::int64_t key = 0;  // the account's id, or the hash of a name with its sign bit set
  bool operator==(const ResultOwner&) const = default;
};
[[nodiscard]] ResultOwner owner_of(const Command& command);

using SessionMark = std::array<std::uint8_t, 16>;  // the first half of a session hash
[[nodiscard]] SessionMark mark_of(const Command& command);

struct StoredResult {
  ResultOwner owner;
  Position position;
  std::int64_t cluster_time_ms = 0;
  std::uint64_t digest = 0;
  Verdict verdict = Verdict::done;
  SessionMark session{};
  std::string details;  // what the answer holds that is in no request
};

// Of the first answer, what a retry cannot know.
[[nodiscard]] std::string details_of(const Command& command, const CommandResult& result);
// The first answer again, from what was kept of it and the request.
[[nodiscard]] CommandResult rebuild(const Command& command, const StoredResult& stored,
                                    AccountTable& accounts);

class ResultTable {
 public:
  struct Key {
    base::RequestId id;
    ResultOwner owner;
    std::int64_t cluster_time_ms = 0;
  };

  explicit ResultTable(SQLite::Database& db);
  void forget_cached();

  [[nodiscard]] std::optional<StoredResult> find(const base::RequestId& id, ResultOwner owner);
  // Whose owner or session is this one.
  [[nodiscard]] std::optional<StoredResult> find_matching(const base::RequestId& id, ResultOwner owner,
                                                          const SessionMark& session);
  void insert(const base::RequestId& id, const StoredResult& row);
  void erase(const Key& key);
  [[nodiscard]] std::vector<Key> lowest(std::size_t limit);
  // Kept in memory.
  [[nodiscard]] const std::optional<Key>& lowest();

 private:
  Prepared find_;
  Prepared find_matching_;
  Prepared insert_;
  Prepared erase_;
  Prepared lowest_;
  std::optional<Key> lowest_key_;
  bool lowest_known_ = false;
};

}  // namespace parley::chat
