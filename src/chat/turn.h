// Private to chat: one command being applied at one position. Decides from state and command alone.
// Owned by: StateMachine::apply, for one call.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chat/command.h"
#include "chat/event.h"
#include "chat/format_limits.h"
#include "chat/result.h"
#include "chat/store.h"

namespace parley::chat {

class Turn {
 public:
  // `store.row` already holds this command's stamp.
  Turn(Store& store, const FormatLimits& limits, Position position)
      : store_(store), limits_(limits), position_(position) {}

  // The order of rule 5: the look-up of request_id, its window, authority, the decision, the result row.
  [[nodiscard]] CommandResult run(const Command& command);
  [[nodiscard]] std::vector<SharedEvent> take_events() { return std::move(events_); }

 private:
  // turn.cc
  [[nodiscard]] CommandResult decide(const Command& command);
  [[nodiscard]] CommandResult with_request(const RequestKey& key, const Command& command);
  [[nodiscard]] Verdict check_window(const base::RequestId& id) const;
  [[nodiscard]] bool is_authorized(const Authority& authority);
  [[nodiscard]] CommandResult refuse(Verdict verdict) const;
  [[nodiscard]] CommandResult done(AccountId account) const;
  void remember(const RequestKey& key, const Command& command, const CommandResult& result);
  void forget_beyond_limit();
  void forget(const ResultTable::Key& key);
  [[nodiscard]] std::int64_t now_ms() const { return store_.row.stamp.cluster_time_ms; }
  [[nodiscard]] std::int64_t wall_unix_ms() const { return store_.row.stamp.wall_unix_ms; }

  // turn_events.cc
  void emit(std::vector<AccountId> audience, AccountId author, const RequestKey* request,
            decltype(Event::what) what);
  void record(EventRecord event);
  void end_sessions(AccountId account, std::vector<SessionHash> sessions, const SessionHash& kept);

  // turn_accounts.cc
  [[nodiscard]] CommandResult apply(const CreateAccount& command);
  [[nodiscard]] CommandResult apply(const LogIn& command);
  [[nodiscard]] CommandResult apply(const LogOut& command);
  [[nodiscard]] CommandResult apply(const ChangePassword& command);
  [[nodiscard]] CommandResult apply(const DeleteAccount& command);
  [[nodiscard]] CommandResult apply(const AnnounceNode& command);
  [[nodiscard]] CommandResult open_session(const AccountRow& account, const SessionHash& hash);
  // The next step of telling the peers; whether all have been told.
  [[nodiscard]] bool tell_peers(Deletion& deletion);

  // turn_messages.cc
  [[nodiscard]] CommandResult apply(const SendMessage& command);
  [[nodiscard]] CommandResult apply(const MarkRead& command);
  [[nodiscard]] CommandResult apply(const DeleteMessages& command);
  [[nodiscard]] bool delete_from_view(const MessagePlace& place, AccountId account);

  // turn_sweep.cc
  [[nodiscard]] CommandResult apply(const Sweep& command);
  [[nodiscard]] CommandResult apply(const Tick& command);
  void sweep_sessions(std::size_t& budget);
  void sweep_deletions(std::size_t& budget);
  void sweep_results(std::size_t& budget);
  [[nodiscard]] bool sweep_deletion(Deletion& deletion, std::size_t& budget);
  [[nodiscard]] bool clear_conversation(AccountId gone, const MemberRow& member, std::size_t& budget);

  Store& store_;
  const FormatLimits& limits_;
  Position position_;
  std::vector<SharedEvent> events_;
};

// What a sweep would do now, and when something will next be due.
[[nodiscard]] bool has_sweep_work(Store& store, const FormatLimits& limits);
[[nodiscard]] std::optional<std::int64_t> next_expiry_ms(Store& store);

}  // namespace parley::chat
