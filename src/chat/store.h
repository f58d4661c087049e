// Private to chat: all tables over one connection. Used by the StateMachine
// (which writes) and by each Reader (which does not). Owned by: one of them; its thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "chat/account_table.h"
#include "chat/event_table.h"
#include "chat/format_limits.h"
#include "chat/message_table.h"
#include "chat/node_table.h"
#include "chat/result_table.h"
#include "chat/session_table.h"
#include "chat/sqlite.h"
#include "chat/state_row.h"

namespace parley::chat {

struct Store {
  Store(SQLite::Database& db, std::size_t cache_limit)
      : state_rows(db),
        accounts(db, cache_limit),
        sessions(db, cache_limit),
        conversations(db, cache_limit),
        messages(db),
        results(db),
        events(db),
        nodes(db) {}

  // After a rollback, and when a reader's snapshot changes: what was derived is rebuilt from the database.
  void reload() {
    accounts.forget_cached();
    sessions.forget_cached();
    conversations.forget_cached();
    results.forget_cached();
    row = state_rows.load();
  }

  [[nodiscard]] bool is_alive(AccountId id) {
    const auto account = accounts.find(id);
    return account && account->alive;
  }

  StateRowTable state_rows;
  AccountTable accounts;
  SessionTable sessions;
  ConversationTable conversations;
  MessageTable messages;
  ResultTable results;
  EventTable events;
  NodeTable nodes;
  StateRow row;
};

// The whole message as `viewer` sees it (request_id only to its author; none: kept for the event).
[[nodiscard]] Message to_message(Store& store, const MessageRow& row, AccountId viewer);

// Inside the window of new request ids.
[[nodiscard]] std::int64_t server_time_unix_ms(const StateRow& row);

// Resuming after a position before this one may miss something.
[[nodiscard]] Position replay_horizon(const StateRow& row, const FormatLimits& limits);

}  // namespace parley::chat
