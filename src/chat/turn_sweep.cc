#include <algorithm>
#include <map>
#include <utility>

#include "base/limits.h"
#include "chat/turn.h"

namespace parley::chat {
namespace {

constexpr std::size_t kSeeksOfConversation = 4;  // what looking into one costs, in rows
constexpr Lane kLanes = 16;

bool is_due(const StateRow& row, const FormatLimits& limits, const ResultTable::Key& key) {
  return row.results > limits.max_results ||
         row.stamp.cluster_time_ms - key.cluster_time_ms >= base::kResultLifetime_ms;
}

std::size_t spend(std::size_t budget, std::size_t cost) { return budget - std::min(budget, cost); }

}  // namespace

// Rule 9: at most max_rows_per_command rows, the rest with the next sweep.
CommandResult Turn::apply(const Sweep&) {
  std::size_t budget = limits_.max_rows_per_command;
  sweep_sessions(budget);
  sweep_deletions(budget);
  sweep_results(budget);
  return done({});
}

// Cluster time has passed, which is all.
CommandResult Turn::apply(const Tick&) { return done({}); }

void Turn::sweep_sessions(std::size_t& budget) {
  std::map<AccountId, std::vector<SessionHash>> ended;
  for (const SessionRow& session : store_.sessions.oldest(budget)) {
    if (session.expires_ms > now_ms()) {
      break;
    }
    store_.sessions.erase(session);
    ended[session.account].push_back(session.hash);
    budget = spend(budget, 1);
  }
  for (auto& [account, sessions] : ended) {
    end_sessions(account, std::move(sessions), {});
  }
}

void Turn::sweep_deletions(std::size_t& budget) {
  bool told_somebody = false;  // one event for a watcher and position
  while (budget > 0) {
    auto deletion = store_.accounts.next_deletion();
    if (!deletion) {
      return;
    }
    if (!deletion->told_all) {
      if (told_somebody) {
        return;
      }
      told_somebody = true;
      deletion->told_all = tell_peers(*deletion);
      if (deletion->told_all) {
        deletion->after_peer = {};
      }
      store_.accounts.put_deletion(*deletion);
      budget = spend(budget, limits_.max_peers_told_at_once);
    } else if (sweep_deletion(*deletion, budget)) {
      store_.accounts.erase_deletion(deletion->account);
      budget = spend(budget, 1);
    } else {
      store_.accounts.put_deletion(*deletion);
      return;
    }
  }
}

// Whether nothing is left to clear.
bool Turn::sweep_deletion(Deletion& deletion, std::size_t& budget) {
  while (budget > 0) {
    const auto members = store_.conversations.of(deletion.account, deletion.after_peer,
                                                 std::max<std::size_t>(1, budget / kSeeksOfConversation));
    if (members.empty()) {
      return true;
    }
    for (const MemberRow& member : members) {
      budget = spend(budget, kSeeksOfConversation);
      if (!clear_conversation(deletion.account, member, budget)) {
        return false;
      }
      deletion.after_peer = member.peer;
    }
  }
  return false;
}

// What the gone account received, and what it sent to a peer that has deleted it; everything, the
// conversation too, once there is nobody to see it. Whether all of that is gone.
bool Turn::clear_conversation(AccountId gone, const MemberRow& member, std::size_t& budget) {
  const Pair pair = pair_of(gone, member.peer);
  const bool nobody_left = pair.is_self() || !store_.is_alive(member.peer);
  const Lane received = lane_from(pair, member.peer);
  for (Lane lane = 0; lane < kLanes; ++lane) {
    const bool is_received = (lane & kLaneFromHigh) == received;
    if (!nobody_left && !is_received && (lane & kLaneHiddenFromRecipient) == 0) {
      continue;
    }
    const auto ids = store_.messages.first_of(member.conversation, lane, budget);
    for (const MessageId id : ids) {
      store_.messages.erase(id);
    }
    budget = spend(budget, ids.size());
    if (budget == 0) {
      return false;
    }
  }
  if (nobody_left) {
    store_.conversations.erase(member.conversation, pair);
    budget = spend(budget, 3);
  }
  return true;
}

void Turn::sweep_results(std::size_t& budget) {
  if (const auto& first = store_.results.lowest(); !first || !is_due(store_.row, limits_, *first)) {
    return;
  }
  for (const auto& key : store_.results.lowest(budget)) {
    if (!is_due(store_.row, limits_, key)) {
      break;
    }
    forget(key);
    budget = spend(budget, 1);
  }
}

bool has_sweep_work(Store& store, const FormatLimits& limits) {
  const std::int64_t now_ms = store.row.stamp.cluster_time_ms;
  const auto session_expires_ms = store.sessions.first_expiry_ms();
  const auto& result = store.results.lowest();
  return (session_expires_ms && *session_expires_ms <= now_ms) || store.accounts.has_deletions() ||
         (result && is_due(store.row, limits, *result));
}

std::optional<std::int64_t> next_expiry_ms(Store& store) {
  auto next_ms = store.sessions.first_expiry_ms();
  if (const auto& result = store.results.lowest()) {
    const std::int64_t forgotten_ms = result->cluster_time_ms + base::kResultLifetime_ms;
    next_ms = next_ms ? std::min(*next_ms, forgotten_ms) : forgotten_ms;
  }
  return next_ms;
}

}  // namespace parley::chat
