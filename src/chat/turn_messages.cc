#include <map>
#include <utility>

#include "chat/turn.h"

namespace parley::chat {

CommandResult Turn::apply(const SendMessage& command) {
  const AccountId sender = command.authority.account;
  const auto recipient = store_.accounts.find_alive(command.recipient);
  // Rule 17: a name is not an account.
  if (!recipient || (!command.recipient_id.is_none() && command.recipient_id != recipient->id)) {
    return refuse(Verdict::no_such_recipient);
  }
  const Pair pair = pair_of(sender, recipient->id);
  auto conversation = store_.conversations.find(pair);
  if (!conversation) {
    conversation = ConversationId(position_.value());
    store_.conversations.insert(*conversation, pair);
  }
  const Lane lane = pair.is_self() ? kLaneRead : lane_from(pair, sender);
  MessageRow row{.place = {.id = MessageId(position_.value()), .conversation = *conversation, .lane = lane},
                 .sender = sender,
                 .sent_at_unix_ms = wall_unix_ms(),
                 .request_id = command.request.id,
                 .body = command.body};
  store_.messages.insert(row);

  CommandResult result = done(sender);
  result.message = to_message(store_, row, sender);
  std::vector<AccountId> audience{sender};
  if (!pair.is_self()) {
    audience.push_back(recipient->id);
  }
  emit(std::move(audience), sender, &command.request, MessageSent{result.message});
  return result;
}

CommandResult Turn::apply(const MarkRead& command) {
  const AccountId reader = command.authority.account;
  CommandResult result = done(reader);
  std::map<AccountId, std::vector<MessageId>> read_of;  // by sender; none: who does not see it any more
  for (const MessageId id : command.message_ids) {
    const auto place = store_.messages.place(id);
    const auto pair = place ? store_.conversations.members(place->conversation) : std::nullopt;
    if (!pair || recipient_in(*pair, place->lane) != reader ||
        (place->lane & kLaneHiddenFromRecipient) != 0) {
      continue;
    }
    result.message_ids.push_back(id);
    if ((place->lane & kLaneRead) == 0) {
      store_.messages.move(id, place->lane | kLaneRead);
      const AccountId sender = sender_in(*pair, place->lane);
      const bool seen = (place->lane & kLaneHiddenFromSender) == 0 && store_.is_alive(sender);
      read_of[seen ? sender : AccountId()].push_back(id);
    }
  }
  if (result.message_ids.empty()) {
    return refuse(Verdict::no_such_messages);
  }
  if (!read_of.empty()) {
    EventRecord::Read read;
    for (auto& [sender, ids] : read_of) {
      read.groups.push_back({.sender = sender, .ids = std::move(ids)});
    }
    record({.author = reader, .request_id = command.request.id, .what = std::move(read)});
  }
  return result;
}

CommandResult Turn::apply(const DeleteMessages& command) {
  const AccountId account = command.authority.account;
  CommandResult result = done(account);
  for (const MessageId id : command.message_ids) {
    const auto place = store_.messages.place(id);
    if (place && delete_from_view(*place, account)) {
      result.message_ids.push_back(id);
    }
  }
  if (result.message_ids.empty()) {
    return refuse(Verdict::no_such_messages);
  }
  record({.author = account,
          .request_id = command.request.id,
          .what = EventRecord::Deleted{result.message_ids}});
  return result;
}

// Whether `account` saw it. The row goes with its last viewer.
bool Turn::delete_from_view(const MessagePlace& place, AccountId account) {
  const auto pair = store_.conversations.members(place.conversation);
  if (!pair || !pair->has(account)) {
    return false;
  }
  if (pair->is_self()) {
    store_.messages.erase(place.id);
    return true;
  }
  const AccountId peer = pair->peer_of(account);
  const bool is_sender = sender_in(*pair, place.lane) == account;
  const Lane hides = is_sender ? kLaneHiddenFromSender : kLaneHiddenFromRecipient;
  const Lane hidden_from_peer = is_sender ? kLaneHiddenFromRecipient : kLaneHiddenFromSender;
  const bool peer_alive = store_.is_alive(peer);
  // What a gone account received is hidden from both.
  if ((place.lane & hides) != 0 || (is_sender && !peer_alive)) {
    return false;
  }
  if ((place.lane & hidden_from_peer) != 0 || !peer_alive) {
    store_.messages.erase(place.id);
  } else {
    store_.messages.move(place.id, place.lane | hides);
  }
  return true;
}

}  // namespace parley::chat
