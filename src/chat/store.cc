#include "chat/store.h"

#include <algorithm>

namespace parley::chat {
namespace {

std::string name_of(Store& store, AccountId id) {
  const auto row = store.accounts.find(id);
  return row ? row->name : std::string();
}

}  // namespace

Message to_message(Store& store, const MessageRow& row, AccountId viewer) {
  const auto pair = store.conversations.members(row.place.conversation);
  if (!pair) {
    throw_damaged("message " + std::to_string(row.place.id.value()) + " has no conversation");
  }
  Message message;
  message.id = row.place.id;
  message.conversation = row.place.conversation;
  message.sender = row.sender;
  message.recipient = recipient_in(*pair, row.place.lane);
  message.sender_name = name_of(store, message.sender);
  message.recipient_name = name_of(store, message.recipient);
  message.body = row.body;
  message.sent_at_unix_ms = row.sent_at_unix_ms;
  message.read = (row.place.lane & kLaneRead) != 0;
  if (viewer.is_none() || viewer == row.sender) {
    message.request_id = base::to_string(row.request_id);
  }
  return message;
}

std::int64_t server_time_unix_ms(const StateRow& row) {
  // The next millisecond: an id of the same one could lie before the highest forgotten.
  const std::int64_t after_forgotten = row.forgotten.is_none() ? 0 : row.forgotten.unix_ms() + 1;
  return std::max(row.stamp.wall_unix_ms, after_forgotten);
}

Position replay_horizon(const StateRow& row, const FormatLimits& limits) {
  const std::uint64_t applied = row.applied.value();
  const std::uint64_t scanned =
      applied > limits.max_replay_positions ? applied - limits.max_replay_positions : 0;
  return std::max(row.last_dropped_event, Position(scanned));
}

}  // namespace parley::chat
