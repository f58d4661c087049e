#include "chat/event_table.h"

#include <algorithm>

#include "base/little_endian.h"
#include "chat/bytes.h"

namespace parley::chat {
namespace {

constexpr std::uint8_t kKindRead = 1;
constexpr std::uint8_t kKindDeleted = 2;
constexpr std::uint8_t kKindGone = 3;

template <class Id>
std::vector<Id> take_ids(ByteReader& in) {
  std::vector<Id> ids;
  const auto count = in.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    ids.emplace_back(in.take<std::uint64_t>());
  }
  return ids;
}

struct DetailsWriter {
  std::string out;

  void operator()(const EventRecord::Read& read) {
    out.push_back(static_cast<char>(kKindRead));
    base::append_le(out, static_cast<std::uint32_t>(read.groups.size()));
    for (const auto& group : read.groups) {
      base::append_le(out, group.sender.value());
      append_ids(out, group.ids);
    }
  }
  void operator()(const EventRecord::Deleted& deleted) {
    out.push_back(static_cast<char>(kKindDeleted));
    append_ids(out, deleted.ids);
  }
  void operator()(const EventRecord::Gone& gone) {
    out.push_back(static_cast<char>(kKindGone));
    append_ids(out, gone.told);
  }
};

EventRecord::Read take_read(ByteReader& in) {
  EventRecord::Read read;
  const auto groups = in.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < groups && !in.failed(); ++i) {
    const AccountId sender(in.take<std::uint64_t>());
    read.groups.push_back({.sender = sender, .ids = take_ids<MessageId>(in)});
  }
  return read;
}

void take_details(EventRecord& record, std::string_view details) {
  ByteReader in(details);
  switch (in.take<std::uint8_t>()) {
    case kKindRead:
      record.what = take_read(in);
      break;
    case kKindDeleted:
      record.what = EventRecord::Deleted{take_ids<MessageId>(in)};
      break;
    case kKindGone:
      record.what = EventRecord::Gone{take_ids<AccountId>(in)};
      break;
    default:
      throw_damaged("an event of an unknown kind");
  }
  if (in.failed() || !in.rest().empty()) {
    throw_damaged("an event with wrong details");
  }
}

class Expansion {
 public:
  Expansion(const EventRecord& record, AccountTable& accounts) : record_(record) {
    if (const auto row = accounts.find(record.author)) {
      author_name_ = row->name;
    }
  }

  void operator()(const EventRecord::Read& read) {
    std::vector<MessageId> all;
    for (const auto& group : read.groups) {
      all.insert(all.end(), group.ids.begin(), group.ids.end());
    }
    std::ranges::sort(all);
    add({record_.author}, MessagesRead{.message_ids = std::move(all), .reader_name = author_name_});
    for (const auto& group : read.groups) {
      if (!group.sender.is_none()) {
        add({group.sender}, MessagesRead{.message_ids = group.ids, .reader_name = author_name_});
      }
    }
  }
  void operator()(const EventRecord::Deleted& deleted) {
    add({record_.author}, MessagesDeleted{.message_ids = deleted.ids});
  }
  void operator()(const EventRecord::Gone& gone) {
    add(gone.told, AccountGone{.account = record_.author, .name = author_name_});
  }
  [[nodiscard]] std::vector<SharedEvent> take() { return std::move(events_); }

 private:
  template <class What>
  void add(std::vector<AccountId> audience, What what) {
    Event event;
    event.position = record_.position;
    event.audience = std::move(audience);
    event.author = record_.author;
    if (!record_.request_id.is_none()) {
      event.request_id = base::to_string(record_.request_id);
    }
    event.what = std::move(what);
    events_.push_back(std::make_shared<const Event>(std::move(event)));
  }

  const EventRecord& record_;
  std::string author_name_;
  std::vector<SharedEvent> events_;
};

}  // namespace

std::vector<SharedEvent> expand(const EventRecord& record, AccountTable& accounts) {
  Expansion expansion(record, accounts);
  std::visit(expansion, record.what);
  return expansion.take();
}

EventTable::EventTable(SQLite::Database& db)
    : insert_(db, "INSERT INTO event (position, author, request_id, details) VALUES (?, ?, ?, ?)"),
      oldest_(db, "SELECT position, length(details) FROM event ORDER BY position LIMIT 1"),
      erase_(db, "DELETE FROM event WHERE position = ?"),
      between_(db,
               "SELECT position, author, request_id, details FROM event WHERE position > ? AND position <= ? "
               "ORDER BY position LIMIT ?") {}

std::int64_t EventTable::insert(const EventRecord& record) {
  DetailsWriter writer;
  std::visit(writer, record.what);
  Run(insert_, record.position, record.author, blob_of(record.request_id.bytes), Blob{writer.out}).finish();
  return static_cast<std::int64_t>(writer.out.size());
}

std::optional<EventTable::Dropped> EventTable::drop_oldest() {
  Dropped dropped;
  {
    Run run(oldest_);
    if (!run.step()) {
      return std::nullopt;
    }
    dropped = {.position = run.id<Position>(0), .size_bytes = run.integer(1)};
  }
  Run(erase_, dropped.position).finish();
  return dropped;
}

std::vector<EventRecord> EventTable::between(Position after, Position until, std::size_t limit) {
  std::vector<EventRecord> records;
  Run run(between_, after, until, static_cast<std::int64_t>(limit));
  while (run.step()) {
    EventRecord record;
    record.position = run.id<Position>(0);
    record.author = run.id<AccountId>(1);
    record.request_id.bytes = run.array<decltype(record.request_id.bytes)>(2);
    take_details(record, run.text(3));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace parley::chat
