// Events: what apply tells the watchers of this node, in order of position, at most one for each watcher and
// position. Owned by: made by the apply thread; values afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "chat/types.h"

namespace parley::chat {

struct MessageSent {
  Message message;  // request_id filled; only the author's streams show it
  bool operator==(const MessageSent&) const = default;
};
// For `account`: the ids among its messages, received (it is the reader) or sent (somebody else read them).
struct MessagesRead {
  std::vector<MessageId> message_ids;
  std::string reader_name;
  bool operator==(const MessagesRead&) const = default;
};
struct MessagesDeleted {
  std::vector<MessageId> message_ids;
  bool operator==(const MessagesDeleted&) const = default;
};
struct AccountGone {
  AccountId account;
  std::string name;
  bool operator==(const AccountGone&) const = default;
};
// Not shown: ends the watches of these sessions (empty: of all sessions of the account but `kept`).
struct SessionsEnded {
  std::vector<SessionHash> sessions;
  SessionHash kept;
  bool operator==(const SessionsEnded&) const = default;
};

struct Event {
  Position position;
  std::vector<AccountId> audience;  // whose watchers get it
  AccountId author;                 // whose own streams show request_id
  std::string request_id;
  std::variant<MessageSent, MessagesRead, MessagesDeleted, AccountGone, SessionsEnded> what;
  bool operator==(const Event&) const = default;
};

using SharedEvent = std::shared_ptr<const Event>;

}  // namespace parley::chat
