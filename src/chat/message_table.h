// Private to chat: conversations with their members, and messages.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid7.h"
#include "chat/bounded_cache.h"
#include "chat/lanes.h"
#include "chat/sqlite.h"
#include "chat/types.h"

namespace parley::chat {

// The greatest there can be: SQLite counts to there.
inline constexpr MessageId kLastMessageId(std::numeric_limits<std::int64_t>::max());
inline constexpr std::size_t kMaxMembers = std::numeric_limits<std::int64_t>::max();  // all of them

struct MemberRow {
  AccountId peer;
  ConversationId conversation;
};

class ConversationTable {
 public:
  ConversationTable(SQLite::Database& db, std::size_t cache_limit);
  void forget_cached();

  [[nodiscard]] std::optional<ConversationId> find(const Pair& pair);
  [[nodiscard]] std::optional<Pair> members(ConversationId id);
  // The memberships of an account in the order of its peers' ids, after `after_peer`, at most `limit`.
  [[nodiscard]] std::vector<MemberRow> of(AccountId account, AccountId after_peer, std::size_t limit);

  void insert(ConversationId id, const Pair& pair);
  void erase(ConversationId id, const Pair& pair);

 private:
  struct PairHash {
    std::size_t operator()(const Pair& pair) const noexcept {
      return static_cast<std::size_t>((pair.low.value() * 0x9e3779b97f4a7c15U) ^ pair.high.value());
    }
  };
  Prepared find_;
  Prepared members_;
  Prepared of_;
  Prepared insert_;
  Prepared insert_member_;
  Prepared erase_;
  Prepared erase_member_;
  BoundedCache<Pair, ConversationId, PairHash> by_pair_;
  BoundedCache<ConversationId, Pair> by_id_;
};

// Where a message lies; enough to decide who may do what.
struct MessagePlace {
  MessageId id;
  ConversationId conversation;
  Lane lane = 0;
};

struct MessageRow {
  MessagePlace place;
  AccountId sender;
  std::int64_t sent_at_unix_ms = 0;
  base::RequestId request_id;
  std::string body;
};

class MessageTable {
 public:
  explicit MessageTable(SQLite::Database& db);

  void insert(const MessageRow& row);
  void move(MessageId id, Lane lane);
  void erase(MessageId id);

  [[nodiscard]] std::optional<MessagePlace> place(MessageId id);
  [[nodiscard]] std::optional<MessageRow> find(MessageId id);
  // The next in a lane: the lowest id above `than`, the highest id below it.
  [[nodiscard]] std::optional<MessageId> first_above(ConversationId conversation, Lane lane, MessageId than);
  [[nodiscard]] std::optional<MessageId> last_below(ConversationId conversation, Lane lane, MessageId than);
  [[nodiscard]] std::vector<MessageId> first_of(ConversationId conversation, Lane lane, std::size_t limit);
  [[nodiscard]] std::int64_t count(ConversationId conversation, Lane lane);
  // Of everybody, by id: after `after`, up to `until`, at most `limit`.
  [[nodiscard]] std::vector<MessageRow> between(Position after, Position until, std::size_t limit);

 private:
  Prepared insert_;
  Prepared move_;
  Prepared erase_;
  Prepared place_;
  Prepared find_;
  Prepared first_above_;
  Prepared last_below_;
  Prepared first_of_;
  Prepared count_;
  Prepared between_;
};

}  // namespace parley::chat
