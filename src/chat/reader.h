// Reader: queries on a read-only connection to the state file. Between begin() and end() it sees one
// snapshot, in which the token is checked together with the data (rule 4). Owned by: the node's pool of
// readers. One thread at a time; no snapshot is held for more than 1 s.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/uuid7.h"
#include "chat/command.h"
#include "chat/event.h"
#include "chat/result.h"
#include "chat/state_machine.h"
#include "chat/token.h"
#include "chat/types.h"

namespace parley::chat {

struct SessionInfo {
  AccountId account;
  std::string account_name;
};
// For checking a password (outside any snapshot: argon2id takes tens of ms).
struct Credentials {
  Account account;
  std::string password_hash;
  PasswordVersion version;
};
struct NodeAddresses {
  base::NodeId node;
  base::Incarnation incarnation;
  std::string peer_address;
  std::string client_address;
  std::string http_address;
};
struct PageRequest {
  std::int32_t page_size = 0;  // 0: the default; above the maximum: the maximum
  std::string page_token;      // empty: the first page
};
template <class T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  // empty: no more
};
struct MessageQuery {
  std::string peer;             // empty and no conversation: the inbox
  ConversationId conversation;  // instead of peer
  bool unread_only = false;
  bool newest_first = false;
  PageRequest page;
};
struct ConversationRow {
  ConversationId id;
  std::string peer_name;
  bool peer_gone = false;
  Message last_message;
  std::uint32_t unread_count = 0;
};
struct UnreadRow {
  ConversationId conversation;
  std::string peer_name;
  std::uint32_t unread_count = 0;
};
struct UnreadPage {
  Page<UnreadRow> page;
  std::uint64_t total = 0;
};

// A stretch of the event stream, for everybody: who may see an event is its audience.
struct Replay {
  std::vector<SharedEvent> events;  // after `after`, up to `through`, in order; several of one position have
                                    // disjoint audiences
  Position through;                 // all events up to here are in it; go on from here
};

class Reader {
 public:
  [[nodiscard]] static StateResult<std::unique_ptr<Reader>> open(const StateOptions& options);
  [[nodiscard]] static StateResult<std::unique_ptr<Reader>> open_for_test(const StateOptions& options,
                                                                          const FormatLimits& limits);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // A new snapshot: everything that the state machine has committed.
  [[nodiscard]] StateResult<void> begin();
  void end();
  [[nodiscard]] Position applied() const;            // of the snapshot
  [[nodiscard]] base::ClusterId cluster_id() const;  // none: not founded yet
  [[nodiscard]] std::optional<TokenKey> token_key() const;

  // All below: only between begin() and end(). base::Error for what the caller asked wrongly (page token,
  // glob, nobody there); a StateError of the disk is thrown up as Code::unavailable with reason
  // STATE_UNREADABLE.
  [[nodiscard]] base::Result<std::optional<SessionInfo>> session(const SessionHash& hash);
  [[nodiscard]] base::Result<std::optional<Credentials>> credentials(std::string_view name);
  [[nodiscard]] base::Result<std::optional<Credentials>> credentials(AccountId account);
  [[nodiscard]] base::Result<Account> account(std::string_view name);  // NOT_FOUND
  [[nodiscard]] base::Result<Page<Account>> accounts(AccountId caller, std::string_view glob,
                                                     const PageRequest& page);
  [[nodiscard]] base::Result<Page<Message>> messages(AccountId caller, const MessageQuery& query);
  [[nodiscard]] base::Result<Page<ConversationRow>> conversations(AccountId caller, const PageRequest& page);
  [[nodiscard]] base::Result<UnreadPage> unread_counts(AccountId caller, const PageRequest& page);
  [[nodiscard]] base::Result<std::vector<NodeAddresses>> nodes();

  // Rule 5: the remembered result of this command's request_id, if its account or its session hash matches;
  // to be looked up in one snapshot with the failing check of token or password. Rebuilt for the given
  // request.
  [[nodiscard]] base::Result<std::optional<CommandResult>> remembered(const Command& command);

  // Watch replay, one scan for all resuming watchers: events after `after`, up to `until` or the snapshot,
  // found in at most `limit` rows (and never more than 1,000). Nothing: too old, send a resync.
  [[nodiscard]] base::Result<std::optional<Replay>> events_between(Position after, Position until,
                                                                   std::size_t limit);
  // The same for one account, by a seek into each of its conversations: its events after `after`, oldest
  // first, at most `limit`; fewer: there are no more in this snapshot.
  [[nodiscard]] base::Result<std::optional<std::vector<SharedEvent>>> events_after(AccountId account,
                                                                                   Position after,
                                                                                   std::size_t limit);
  // The oldest `after` that can be resumed from.
  [[nodiscard]] base::Result<Position> oldest_replayable();

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::chat
