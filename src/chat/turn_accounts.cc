#include "base/limits.h"
#include "chat/turn.h"

namespace parley::chat {

CommandResult Turn::apply(const CreateAccount& command) {
  if (store_.accounts.find_alive(command.name)) {
    return refuse(Verdict::name_taken);
  }
  const AccountRow account{.id = AccountId(position_.value()),
                           .name = command.name,
                           .alive = true,
                           .created_at_unix_ms = wall_unix_ms(),
                           .password_version = PasswordVersion(1)};
  store_.accounts.insert(account, command.password_hash);
  return open_session(account, command.session);
}

CommandResult Turn::apply(const LogIn& command) {
  const auto account = store_.accounts.find(command.account);
  if (!account || !account->alive || account->password_version != command.checked) {
    return refuse(Verdict::password_changed);
  }
  return open_session(*account, command.session);
}

CommandResult Turn::open_session(const AccountRow& account, const SessionHash& hash) {
  CommandResult result = done(account.id);
  result.account_name = account.name;
  result.created_at_unix_ms = account.created_at_unix_ms;
  result.session_expires_at_unix_ms = wall_unix_ms() + base::kSessionLifetime_ms;
  if (const auto there = store_.sessions.find(hash)) {
    // A node made one token for two commands. It opens the account that it opened first.
    return there->account == account.id ? result : refuse(Verdict::password_changed);
  }
  const auto sessions = store_.sessions.of(account.id);
  for (std::size_t i = 0; i + base::kMaxSessionsPerAccount <= sessions.size(); ++i) {
    store_.sessions.erase(sessions[i]);
    end_sessions(account.id, {sessions[i].hash}, {});
  }
  store_.sessions.insert({.position = position_,
                          .hash = hash,
                          .account = account.id,
                          .created_ms = now_ms(),
                          .expires_ms = now_ms() + base::kSessionLifetime_ms});
  return result;
}

CommandResult Turn::apply(const LogOut& command) {
  if (const auto session = store_.sessions.find(command.authority.session)) {
    store_.sessions.erase(*session);
  }
  end_sessions(command.authority.account, {command.authority.session}, {});
  return done(command.authority.account);
}

CommandResult Turn::apply(const ChangePassword& command) {
  const auto account = store_.accounts.find(command.authority.account);
  if (!account || !account->alive || account->password_version != command.checked) {
    return refuse(Verdict::password_changed);
  }
  store_.accounts.set_password(account->id, account->password_version.next(), command.new_password_hash);
  for (const SessionRow& session : store_.sessions.of(account->id)) {
    if (session.hash != command.authority.session) {
      store_.sessions.erase(session);
    }
  }
  end_sessions(account->id, {}, command.authority.session);
  return done(account->id);
}

// Hidden at once: views leave out what a gone account received. The rows go in later steps.
CommandResult Turn::apply(const DeleteAccount& command) {
  const auto account = store_.accounts.find(command.authority.account);
  if (!account || !account->alive || account->password_version != command.checked) {
    return refuse(Verdict::password_changed);
  }
  store_.accounts.mark_gone(account->id);
  for (const SessionRow& session : store_.sessions.of(account->id)) {
    store_.sessions.erase(session);
  }
  end_sessions(account->id, {}, {});
  Deletion deletion{.account = account->id, .told_all = false, .after_peer = {}};
  deletion.told_all = tell_peers(deletion);
  if (deletion.told_all) {
    deletion.after_peer = {};
  }
  store_.accounts.put_deletion(deletion);
  return done(account->id);
}

bool Turn::tell_peers(Deletion& deletion) {
  const auto members =
      store_.conversations.of(deletion.account, deletion.after_peer, limits_.max_peers_told_at_once);
  std::vector<AccountId> told;
  for (const MemberRow& member : members) {
    deletion.after_peer = member.peer;
    if (store_.is_alive(member.peer)) {
      told.push_back(member.peer);
    }
  }
  if (!told.empty()) {
    record({.author = deletion.account, .what = EventRecord::Gone{std::move(told)}});
  }
  return members.size() < limits_.max_peers_told_at_once;
}

CommandResult Turn::apply(const AnnounceNode& command) {
  store_.nodes.put(command);
  return done({});
}

}  // namespace parley::chat
