#include "chat/result_table.h"

#include <sodium.h>

#include <algorithm>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/little_endian.h"
#include "chat/bytes.h"

namespace parley::chat {
namespace {

std::int64_t hash_of_name(const std::string& name) {
  std::array<char, crypto_generichash_BYTES_MIN> hash{};
  const int failed =
      crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                         reinterpret_cast<const unsigned char*>(name.data()), name.size(), nullptr, 0);
  base::ensure(failed == 0, "BLAKE2b takes any input");
  const auto value = base::read_le<std::uint64_t>({hash.data(), hash.size()}, 0);
  return static_cast<std::int64_t>(value | (std::uint64_t{1} << 63));
}

SessionMark first_half(const SessionHash& hash) {
  SessionMark mark{};
  std::copy_n(hash.bytes.begin(), mark.size(), mark.begin());
  return mark;
}

std::uint64_t as_unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

const std::vector<MessageId>* ids_of(const Command& command) {
  if (const auto* mark = std::get_if<MarkRead>(&command)) {
    return &mark->message_ids;
  }
  const auto* erase = std::get_if<DeleteMessages>(&command);
  return erase != nullptr ? &erase->message_ids : nullptr;
}

// A bit for each id of the request: whether the command applied to it. Both are in the request's order.
std::string bits_of(const std::vector<MessageId>& asked, const std::vector<MessageId>& applied) {
  std::string bits((asked.size() + 7) / 8, '\0');
  std::size_t next = 0;
  for (std::size_t i = 0; i < asked.size() && next < applied.size(); ++i) {
    if (asked[i] == applied[next]) {
      bits[i / 8] = static_cast<char>(static_cast<unsigned char>(bits[i / 8]) | (1U << (i % 8)));
      ++next;
    }
  }
  return bits;
}

std::vector<MessageId> ids_with_bits(const std::vector<MessageId>& asked, std::string_view bits) {
  std::vector<MessageId> ids;
  for (std::size_t i = 0; i < asked.size() && i / 8 < bits.size(); ++i) {
    if ((static_cast<unsigned char>(bits[i / 8]) & (1U << (i % 8))) != 0) {
      ids.push_back(asked[i]);
    }
  }
  return ids;
}

void rebuild_account(CommandResult& result, const StoredResult& stored, AccountTable& accounts) {
  if (const auto row = accounts.find(result.account)) {
    result.account_name = row->name;
    result.created_at_unix_ms = row->created_at_unix_ms;
  }
  ByteReader details(stored.details);
  result.session_expires_at_unix_ms =
      static_cast<std::int64_t>(details.take<std::uint64_t>()) + base::kSessionLifetime_ms;
}

void rebuild_message(CommandResult& result, const SendMessage& send, const StoredResult& stored,
                     AccountTable& accounts) {
  ByteReader details(stored.details);
  Message& message = result.message;
  message.id = MessageId(stored.position.value());
  message.conversation = ConversationId(details.take<std::uint64_t>());
  message.recipient = AccountId(details.take<std::uint64_t>());
  message.sent_at_unix_ms = static_cast<std::int64_t>(details.take<std::uint64_t>());
  message.sender = result.account;
  if (const auto sender = accounts.find(message.sender)) {
    message.sender_name = sender->name;
  }
  message.recipient_name = send.recipient;
  message.body = send.body;
  message.read = message.sender == message.recipient;
  message.request_id = base::to_string(send.request.id);
}

}  // namespace

ResultOwner owner_of(const Command& command) {
  if (const auto* create = std::get_if<CreateAccount>(&command)) {
    return {hash_of_name(create->name)};
  }
  if (const auto* log_in = std::get_if<LogIn>(&command)) {
    return {static_cast<std::int64_t>(log_in->account.value())};
  }
  const Authority* who = authority(command);
  return {who != nullptr ? static_cast<std::int64_t>(who->account.value()) : 0};
}

SessionMark mark_of(const Command& command) {
  if (const auto* create = std::get_if<CreateAccount>(&command)) {
    return first_half(create->session);
  }
  if (const auto* log_in = std::get_if<LogIn>(&command)) {
    return first_half(log_in->session);
  }
  const Authority* who = authority(command);
  return who != nullptr ? first_half(who->session) : SessionMark{};
}

std::string details_of(const Command& command, const CommandResult& result) {
  std::string details;
  if (result.verdict != Verdict::done) {
    return details;
  }
  if (std::holds_alternative<CreateAccount>(command) || std::holds_alternative<LogIn>(command)) {
    base::append_le(details, as_unsigned(result.session_expires_at_unix_ms - base::kSessionLifetime_ms));
  } else if (std::holds_alternative<SendMessage>(command)) {
    base::append_le(details, result.message.conversation.value());
    base::append_le(details, result.message.recipient.value());
    base::append_le(details, as_unsigned(result.message.sent_at_unix_ms));
  } else if (const auto* asked = ids_of(command)) {
    details = bits_of(*asked, result.message_ids);
  }
  return details;
}

CommandResult rebuild(const Command& command, const StoredResult& stored, AccountTable& accounts) {
  CommandResult result;
  result.verdict = stored.verdict;
  result.position = stored.position;
  result.is_retry = true;
  if (stored.verdict != Verdict::done) {
    return result;
  }
  result.account = AccountId(as_unsigned(stored.owner.key));
  if (std::holds_alternative<CreateAccount>(command)) {
    result.account = AccountId(stored.position.value());
    rebuild_account(result, stored, accounts);
    // The same attempt, proposed twice: its token is good. Another attempt has a token that opens nothing
    // yet.
    if (stored.session != mark_of(command)) {
      result.verdict = Verdict::created_before;
    }
  } else if (std::holds_alternative<LogIn>(command)) {
    rebuild_account(result, stored, accounts);
  } else if (const auto* send = std::get_if<SendMessage>(&command)) {
    rebuild_message(result, *send, stored, accounts);
  } else if (const auto* asked = ids_of(command)) {
    result.message_ids = ids_with_bits(*asked, stored.details);
  }
  return result;
}

ResultTable::ResultTable(SQLite::Database& db)
    : find_(db,
            "SELECT owner, position, cluster_time_ms, digest, verdict, session, details FROM result "
            "WHERE request_id = ? AND owner = ?"),
      find_matching_(db,
                     "SELECT owner, position, cluster_time_ms, digest, verdict, session, details FROM result "
                     "WHERE request_id = ?1 AND (owner = ?2 OR session = ?3) "
                     "ORDER BY owner = ?2 DESC, owner LIMIT 1"),
      insert_(db,
              "INSERT INTO result (request_id, owner, position, cluster_time_ms, digest, verdict, session, "
              "details) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
      erase_(db, "DELETE FROM result WHERE request_id = ? AND owner = ?"),
      lowest_(db,
              "SELECT request_id, owner, cluster_time_ms FROM result ORDER BY request_id, owner LIMIT ?") {}

namespace {

StoredResult read_result(const Run& run) {
  StoredResult row;
  row.owner = {run.integer(0)};
  row.position = run.id<Position>(1);
  row.cluster_time_ms = run.integer(2);
  row.digest = run.number(3);
  row.verdict = static_cast<Verdict>(run.integer(4));
  row.session = run.array<SessionMark>(5);
  row.details = run.text(6);
  return row;
}

}  // namespace

void ResultTable::forget_cached() { lowest_known_ = false; }

std::optional<StoredResult> ResultTable::find(const base::RequestId& id, ResultOwner owner) {
  Run run(find_, blob_of(id.bytes), owner.key);
  return run.step() ? std::optional(read_result(run)) : std::nullopt;
}

std::optional<StoredResult> ResultTable::find_matching(const base::RequestId& id, ResultOwner owner,
                                                       const SessionMark& session) {
  Run run(find_matching_, blob_of(id.bytes), owner.key, blob_of(session));
  return run.step() ? std::optional(read_result(run)) : std::nullopt;
}

void ResultTable::insert(const base::RequestId& id, const StoredResult& row) {
  Run(insert_, blob_of(id.bytes), row.owner.key, row.position, row.cluster_time_ms, row.digest,
      static_cast<int>(row.verdict), blob_of(row.session), Blob{row.details})
      .finish();
  if (lowest_known_ && (!lowest_key_ || id < lowest_key_->id ||
                        (id == lowest_key_->id && row.owner.key < lowest_key_->owner.key))) {
    lowest_key_ = Key{.id = id, .owner = row.owner, .cluster_time_ms = row.cluster_time_ms};
  }
}

void ResultTable::erase(const Key& key) {
  lowest_known_ = false;
  Run(erase_, blob_of(key.id.bytes), key.owner.key).finish();
}

std::vector<ResultTable::Key> ResultTable::lowest(std::size_t limit) {
  std::vector<Key> keys;
  Run run(lowest_, static_cast<std::int64_t>(limit));
  while (run.step()) {
    keys.push_back({.id = {.bytes = run.array<decltype(base::RequestId::bytes)>(0)},
                    .owner = {run.integer(1)},
                    .cluster_time_ms = run.integer(2)});
  }
  return keys;
}

const std::optional<ResultTable::Key>& ResultTable::lowest() {
  if (!lowest_known_) {
    const auto keys = lowest(1);
    lowest_key_ = keys.empty() ? std::nullopt : std::optional(keys.front());
    lowest_known_ = true;
  }
  return lowest_key_;
}

}  // namespace parley::chat
