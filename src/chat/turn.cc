#include "chat/turn.h"

#include <algorithm>

#include "base/limits.h"

namespace parley::chat {
namespace {

// A refusal for want of authority speaks of this attempt alone (rule 4).
bool is_remembered(Verdict verdict) {
  return verdict == Verdict::done || verdict == Verdict::name_taken ||
         verdict == Verdict::no_such_recipient || verdict == Verdict::no_such_messages;
}

}  // namespace

CommandResult Turn::run(const Command& command) {
  const RequestKey* key = request_key(command);
  CommandResult result = key != nullptr ? with_request(*key, command) : decide(command);
  result.server_time_unix_ms = server_time_unix_ms(store_.row);
  return result;
}

CommandResult Turn::with_request(const RequestKey& key, const Command& command) {
  if (const auto stored = store_.results.find(key.id, owner_of(command))) {
    if (stored->digest != key.content_digest) {
      return refuse(Verdict::request_id_reused);
    }
    return rebuild(command, *stored, store_.accounts);
  }
  if (const Verdict window = check_window(key.id); window != Verdict::done) {
    return refuse(window);
  }
  if (const Authority* who = authority(command); who != nullptr && !is_authorized(*who)) {
    return refuse(Verdict::session_ended);
  }
  CommandResult result = decide(command);
  if (is_remembered(result.verdict)) {
    remember(key, command, result);
  }
  return result;
}

CommandResult Turn::decide(const Command& command) {
  return std::visit([this](const auto& c) { return apply(c); }, command);
}

Verdict Turn::check_window(const base::RequestId& id) const {
  const StateRow& row = store_.row;
  if (id <= row.forgotten) {
    return Verdict::request_id_forgotten;
  }
  const std::int64_t latest_ms = std::max(row.stamp.wall_unix_ms, row.forgotten.unix_ms());
  return id.unix_ms() > latest_ms + base::kMaxRequestIdAhead_ms ? Verdict::request_id_ahead : Verdict::done;
}

bool Turn::is_authorized(const Authority& authority) {
  const auto session = store_.sessions.find(authority.session);
  return session && session->account == authority.account && session->expires_ms > now_ms();
}

CommandResult Turn::refuse(Verdict verdict) const {
  CommandResult result;
  result.verdict = verdict;
  result.position = position_;
  return result;
}

CommandResult Turn::done(AccountId account) const {
  CommandResult result;
  result.position = position_;
  result.account = account;
  return result;
}

void Turn::remember(const RequestKey& key, const Command& command, const CommandResult& result) {
  store_.results.insert(key.id, {.owner = owner_of(command),
                                 .position = position_,
                                 .cluster_time_ms = now_ms(),
                                 .digest = key.content_digest,
                                 .verdict = result.verdict,
                                 .session = mark_of(command),
                                 .details = details_of(command, result)});
  ++store_.row.results;
  forget_beyond_limit();
}

// Sweeps wait for a quiet moment; a cluster that never has one must not keep more than the limit.
void Turn::forget_beyond_limit() {
  if (store_.row.results <= limits_.max_results) {
    return;
  }
  const auto beyond = static_cast<std::size_t>(store_.row.results - limits_.max_results);
  for (const auto& key : store_.results.lowest(std::min(beyond, limits_.forget_at_once))) {
    forget(key);
  }
}

void Turn::forget(const ResultTable::Key& key) {
  store_.results.erase(key);
  --store_.row.results;
  store_.row.forgotten = std::max(store_.row.forgotten, key.id);
}

}  // namespace parley::chat
