#include "tests/chat/chat_world.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/hex.h"

namespace parley::chat::testing {

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "parley-chat-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    std::abort();
  }
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string dump(const std::string& path, const std::vector<std::string>& without) {
  const SQLite::Database db(path, SQLite::OPEN_READONLY);
  std::vector<std::string> tables;
  SQLite::Statement names(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  while (names.executeStep()) {
    tables.push_back(names.getColumn(0).getString());
  }
  std::string text;
  for (const std::string& table : tables) {
    if (std::ranges::find(without, table) != without.end()) {
      continue;
    }
    text += table + "\n";
    std::vector<std::string> rows;
    SQLite::Statement select(db, "SELECT * FROM " + table);
    while (select.executeStep()) {
      std::string row;
      for (int column = 0; column < select.getColumnCount(); ++column) {
        const auto value = select.getColumn(column);
        row += " " + (value.isBlob() ? base::to_hex(value.getString()) : value.getString());
      }
      rows.push_back(std::move(row));
    }
    std::ranges::sort(rows);
    for (const std::string& row : rows) {
      text += row + "\n";
    }
  }
  return text;
}

World::World(FormatLimits limits, std::string vfs)
    : options_{.path = folder_.path() + "/state.db", .vfs = std::move(vfs)}, limits_(limits) {
  open();
  const base::ClusterId cluster{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
  log_.push_back({});
  results_.push_back({});
  const auto founded = machine_->apply_founding(Position(1), cluster, std::string(32, 's'));
  EXPECT_TRUE(founded.has_value());
}

void World::open() {
  auto opened = StateMachine::open_for_test(options_, limits_);
  if (!opened) {
    ADD_FAILURE() << opened.error().what;
    std::abort();
  }
  machine_ = *std::move(opened);
}

void World::crash_and_open() {
  reader_.reset();
  machine_.reset();
  open();
}

void World::replay() {
  while (machine_->applied() < position()) {
    const Position next = machine_->applied().next();
    const Entry& entry = log_[next.value() - 1];
    if (next == Position(1)) {
      const base::ClusterId cluster{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
      ASSERT_TRUE(machine_->apply_founding(next, cluster, std::string(32, 's')).has_value());
    } else if (entry.command.empty()) {
      ASSERT_TRUE(machine_->apply_nothing(next).has_value());
    } else {
      const auto applied = machine_->apply(next, entry.stamp, entry.command);
      ASSERT_TRUE(applied.has_value()) << applied.error().what;
      EXPECT_EQ(applied->result, results_[next.value() - 1]) << "what was decided once is decided for ever";
      events.insert(events.end(), applied->events.begin(), applied->events.end());
    }
  }
}

base::RequestId World::id_at(std::int64_t unix_ms) {
  std::array<std::uint8_t, 10> random{};
  ++counter_;
  std::memcpy(random.data() + 2, &counter_, sizeof(counter_));
  std::reverse(random.begin() + 2, random.end());
  random[2] &= 0x3f;
  return base::make_request_id(unix_ms, random);
}

RequestKey World::key() { return {.id = id_at(stamp_.wall_unix_ms)}; }

SessionHash World::new_session() {
  SessionHash hash;
  ++counter_;
  std::memcpy(hash.bytes.data(), &counter_, sizeof(counter_));
  hash.bytes.back() = 7;
  return hash;
}

StateResult<Applied> World::try_apply(const Command& command) {
  Command filled = command;
  const std::uint64_t digest = content_digest(filled);
  std::visit(
      [digest](auto& c) {
        if constexpr (requires { c.request; }) {
          c.request.content_digest = digest;
        }
      },
      filled);
  log_.push_back({.stamp = stamp_, .command = encode(filled)});
  auto applied = machine_->apply(position(), stamp_, log_.back().command);
  results_.push_back(applied ? applied->result : CommandResult());
  if (applied) {
    events.insert(events.end(), applied->events.begin(), applied->events.end());
  }
  return applied;
}

CommandResult World::apply(const Command& command) {
  auto applied = try_apply(command);
  if (!applied) {
    ADD_FAILURE() << applied.error().what;
    std::abort();
  }
  return applied->result;
}

CommandResult World::apply_again(std::size_t entry) {
  const std::string bytes = log_[entry - 1].command;
  log_.push_back({.stamp = stamp_, .command = bytes});
  auto applied = machine_->apply(position(), stamp_, bytes);
  if (!applied) {
    ADD_FAILURE() << applied.error().what;
    std::abort();
  }
  events.insert(events.end(), applied->events.begin(), applied->events.end());
  results_.push_back(applied->result);
  return applied->result;
}

User World::create(const std::string& name) {
  User user{.name = name, .session = new_session()};
  const auto result = apply(CreateAccount{
      .request = key(), .name = name, .password_hash = "hash of " + name, .session = user.session});
  EXPECT_EQ(result.verdict, Verdict::done);
  user.id = result.account;
  return user;
}

CommandResult World::try_send(const User& from, const std::string& to, const std::string& body) {
  return apply(SendMessage{.request = key(), .authority = from.authority(), .recipient = to, .body = body});
}

MessageId World::send(const User& from, const User& to, const std::string& body) {
  const auto result = try_send(from, to.name, body);
  EXPECT_EQ(result.verdict, Verdict::done);
  return result.message.id;
}

CommandResult World::mark(const User& reader, const std::vector<MessageId>& ids) {
  return apply(MarkRead{.request = key(), .authority = reader.authority(), .message_ids = ids});
}

CommandResult World::erase(const User& user, const std::vector<MessageId>& ids) {
  return apply(DeleteMessages{.request = key(), .authority = user.authority(), .message_ids = ids});
}

CommandResult World::erase_account(const User& user) {
  return apply(DeleteAccount{.request = key(), .authority = user.authority(), .checked = user.version});
}

CommandResult World::log_in(User& user) {
  user.session = new_session();
  return apply(LogIn{.request = key(), .account = user.id, .checked = user.version, .session = user.session});
}

std::size_t World::sweep_all() {
  std::size_t sweeps = 0;
  while (machine_->has_sweep_work()) {
    EXPECT_EQ(apply(Sweep{}).verdict, Verdict::done);
    ++sweeps;
    if (sweeps > 100'000) {
      ADD_FAILURE() << "sweeping does not end";
      break;
    }
  }
  return sweeps;
}

std::string World::dumped(const std::vector<std::string>& without) {
  EXPECT_TRUE(machine_->commit().has_value());
  return dump(path(), without);
}

Reader& World::read() {
  EXPECT_TRUE(machine_->commit().has_value());
  if (!reader_) {
    auto opened = Reader::open_for_test(options_, limits_);
    if (!opened) {
      ADD_FAILURE() << opened.error().what;
      std::abort();
    }
    reader_ = *std::move(opened);
  }
  reader_->end();
  EXPECT_TRUE(reader_->begin().has_value());
  EXPECT_EQ(reader_->applied(), machine_->applied());
  return *reader_;
}

std::vector<Message> World::messages(const User& user, MessageQuery query) {
  query.page.page_size = query.page.page_size == 0 ? 500 : query.page.page_size;
  const auto page = read().messages(user.id, query);
  EXPECT_TRUE(page.has_value()) << page.error().message;
  return page ? page->items : std::vector<Message>();
}

std::vector<MessageId> World::ids(const User& user, MessageQuery query) {
  std::vector<MessageId> ids;
  for (const Message& message : messages(user, std::move(query))) {
    ids.push_back(message.id);
  }
  return ids;
}

MessageQuery with(const std::string& peer) { return {.peer = peer}; }

}  // namespace parley::chat::testing
