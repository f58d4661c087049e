#include "chat/message_table.h"

namespace parley::chat {

ConversationTable::ConversationTable(SQLite::Database& db, std::size_t cache_limit)
    : find_(db, "SELECT conversation FROM member WHERE account = ? AND peer = ?"),
      members_(db, "SELECT low, high FROM conversation WHERE id = ?"),
      of_(db, "SELECT peer, conversation FROM member WHERE account = ? AND peer > ? ORDER BY peer LIMIT ?"),
      insert_(db, "INSERT INTO conversation (id, low, high) VALUES (?, ?, ?)"),
      insert_member_(db, "INSERT INTO member (account, peer, conversation) VALUES (?, ?, ?)"),
      erase_(db, "DELETE FROM conversation WHERE id = ?"),
      erase_member_(db, "DELETE FROM member WHERE account = ? AND peer = ? AND conversation = ?"),
      by_pair_(cache_limit),
      by_id_(cache_limit) {}

void ConversationTable::forget_cached() {
  by_pair_.clear();
  by_id_.clear();
}

std::optional<ConversationId> ConversationTable::find(const Pair& pair) {
  if (const ConversationId* cached = by_pair_.find(pair)) {
    return *cached;
  }
  Run run(find_, pair.low, pair.high);
  if (!run.step()) {
    return std::nullopt;
  }
  return by_pair_.put(pair, run.id<ConversationId>(0));
}

std::optional<Pair> ConversationTable::members(ConversationId id) {
  if (const Pair* cached = by_id_.find(id)) {
    return *cached;
  }
  Run run(members_, id);
  if (!run.step()) {
    return std::nullopt;
  }
  return by_id_.put(id, {.low = run.id<AccountId>(0), .high = run.id<AccountId>(1)});
}

std::vector<MemberRow> ConversationTable::of(AccountId account, AccountId after_peer, std::size_t limit) {
  std::vector<MemberRow> rows;
  Run run(of_, account, after_peer, static_cast<std::int64_t>(limit));
  while (run.step()) {
    rows.push_back({.peer = run.id<AccountId>(0), .conversation = run.id<ConversationId>(1)});
  }
  return rows;
}

void ConversationTable::insert(ConversationId id, const Pair& pair) {
  Run(insert_, id, pair.low, pair.high).finish();
  Run(insert_member_, pair.low, pair.high, id).finish();
  if (!pair.is_self()) {
    Run(insert_member_, pair.high, pair.low, id).finish();
  }
  by_pair_.put(pair, id);
  by_id_.put(id, pair);
}

void ConversationTable::erase(ConversationId id, const Pair& pair) {
  by_pair_.erase(pair);
  by_id_.erase(id);
  Run(erase_, id).finish();
  Run(erase_member_, pair.low, pair.high, id).finish();
  if (!pair.is_self()) {
    Run(erase_member_, pair.high, pair.low, id).finish();
  }
}

MessageTable::MessageTable(SQLite::Database& db)
    : insert_(db,
              "INSERT INTO message (id, conversation, lane, sender, sent_at_unix_ms, request_id, body) "
              "VALUES (?, ?, ?, ?, ?, ?, ?)"),
      move_(db, "UPDATE message SET lane = ? WHERE id = ?"),
      erase_(db, "DELETE FROM message WHERE id = ?"),
      place_(db, "SELECT id, conversation, lane FROM message WHERE id = ?"),
      find_(db,
            "SELECT id, conversation, lane, sender, sent_at_unix_ms, request_id, body FROM message "
            "WHERE id = ?"),
      first_above_(db,
                   "SELECT id FROM message WHERE conversation = ? AND lane = ? AND id > ? "
                   "ORDER BY id LIMIT 1"),
      last_below_(db,
                  "SELECT id FROM message WHERE conversation = ? AND lane = ? AND id < ? "
                  "ORDER BY id DESC LIMIT 1"),
      first_of_(db, "SELECT id FROM message WHERE conversation = ? AND lane = ? ORDER BY id LIMIT ?"),
      count_(db, "SELECT count(*) FROM message WHERE conversation = ? AND lane = ?"),
      between_(db,
               "SELECT id, conversation, lane, sender, sent_at_unix_ms, request_id, body FROM message "
               "WHERE id > ? AND id <= ? ORDER BY id LIMIT ?") {}

namespace {

MessagePlace read_place(const Run& run) {
  return {.id = run.id<MessageId>(0), .conversation = run.id<ConversationId>(1), .lane = run.integer(2)};
}

MessageRow read_message(const Run& run) {
  MessageRow row;
  row.place = read_place(run);
  row.sender = run.id<AccountId>(3);
  row.sent_at_unix_ms = run.integer(4);
  row.request_id.bytes = run.array<decltype(row.request_id.bytes)>(5);
  row.body = run.text(6);
  return row;
}

}  // namespace

void MessageTable::insert(const MessageRow& row) {
  Run(insert_, row.place.id, row.place.conversation, row.place.lane, row.sender, row.sent_at_unix_ms,
      blob_of(row.request_id.bytes), row.body)
      .finish();
}

void MessageTable::move(MessageId id, Lane lane) { Run(move_, lane, id).finish(); }

void MessageTable::erase(MessageId id) { Run(erase_, id).finish(); }

std::optional<MessagePlace> MessageTable::place(MessageId id) {
  Run run(place_, id);
  return run.step() ? std::optional(read_place(run)) : std::nullopt;
}

std::optional<MessageRow> MessageTable::find(MessageId id) {
  Run run(find_, id);
  return run.step() ? std::optional(read_message(run)) : std::nullopt;
}

std::optional<MessageId> MessageTable::first_above(ConversationId conversation, Lane lane, MessageId than) {
  Run run(first_above_, conversation, lane, than);
  return run.step() ? std::optional(run.id<MessageId>(0)) : std::nullopt;
}

std::optional<MessageId> MessageTable::last_below(ConversationId conversation, Lane lane, MessageId than) {
  Run run(last_below_, conversation, lane, than);
  return run.step() ? std::optional(run.id<MessageId>(0)) : std::nullopt;
}

std::vector<MessageId> MessageTable::first_of(ConversationId conversation, Lane lane, std::size_t limit) {
  std::vector<MessageId> ids;
  Run run(first_of_, conversation, lane, static_cast<std::int64_t>(limit));
  while (run.step()) {
    ids.push_back(run.id<MessageId>(0));
  }
  return ids;
}

std::int64_t MessageTable::count(ConversationId conversation, Lane lane) {
  Run run(count_, conversation, lane);
  return run.step() ? run.integer(0) : 0;
}

std::vector<MessageRow> MessageTable::between(Position after, Position until, std::size_t limit) {
  std::vector<MessageRow> rows;
  Run run(between_, after, until, static_cast<std::int64_t>(limit));
  while (run.step()) {
    rows.push_back(read_message(run));
  }
  return rows;
}

}  // namespace parley::chat
