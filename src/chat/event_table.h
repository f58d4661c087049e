// Private to chat: the events that no message row tells: reads, deletions, accounts gone. Bounded,
// replicated, so that the horizon of a replay is the same on every node.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/uuid7.h"
#include "chat/account_table.h"
#include "chat/event.h"
#include "chat/sqlite.h"
#include "chat/types.h"

namespace parley::chat {

// One command's event as it is kept; it becomes one Event for each different content that somebody sees.
struct EventRecord {
  // Whose messages were read: nobody, where the sender does not see them any more.
  struct ReadOf {
    AccountId sender;
    std::vector<MessageId> ids;
  };
  struct Read {
    std::vector<ReadOf> groups;
  };
  struct Deleted {
    std::vector<MessageId> ids;
  };
  struct Gone {
    std::vector<AccountId> told;
  };

  Position position;
  AccountId author;  // reader, deleter, the account that is gone
  base::RequestId request_id;
  std::variant<Read, Deleted, Gone> what;
};

// With disjoint audiences.
[[nodiscard]] std::vector<SharedEvent> expand(const EventRecord& record, AccountTable& accounts);

class EventTable {
 public:
  explicit EventTable(SQLite::Database& db);

  // The size of its details.
  [[nodiscard]] std::int64_t insert(const EventRecord& record);
  struct Dropped {
    Position position;
    std::int64_t size_bytes = 0;
  };
  [[nodiscard]] std::optional<Dropped> drop_oldest();
  [[nodiscard]] std::vector<EventRecord> between(Position after, Position until, std::size_t limit);

 private:
  Prepared insert_;
  Prepared oldest_;
  Prepared erase_;
  Prepared between_;
};

}  // namespace parley::chat
