// The budget of a send and of each query (design.md, Storage): what SQLite really ran, not what was planned.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <map>
#include <string>
#include <vector>

#include "tests/chat/chat_world.h"
#include "tests/chat/statement_listener.h"

namespace parley::chat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatementListener;
using testing::User;
using testing::with;
using testing::World;

class Explained {
 public:
  explicit Explained(const std::string& path) {
    sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READONLY, nullptr);
  }
  Explained(const Explained&) = delete;
  Explained& operator=(const Explained&) = delete;
  ~Explained() { sqlite3_close(db_); }

  // Instructions of the program of a statement that write a B-tree.
  int writes(const std::string& sql) {
    constexpr int kIsNoop = 0x40;  // only there for a hook: the table has no rowid
    const auto opcodes = column("EXPLAIN " + sql, 1);
    const auto flags = column("EXPLAIN " + sql, 6);
    int count = 0;
    for (std::size_t i = 0; i < opcodes.size(); ++i) {
      const bool writes = opcodes[i] == "Insert" || opcodes[i] == "IdxInsert" || opcodes[i] == "Delete" ||
                          opcodes[i] == "IdxDelete";
      count += writes && (std::stoi(flags[i]) & kIsNoop) == 0 ? 1 : 0;
    }
    return count;
  }
  std::string plan(const std::string& sql) {
    std::string text;
    for (const std::string& line : column("EXPLAIN QUERY PLAN " + sql, 3)) {
      text += line + "\n";
    }
    return text;
  }

 private:
  std::vector<std::string> column(const std::string& sql, int at) {
    std::vector<std::string> values;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      values.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, at)));
    }
    sqlite3_finalize(statement);
    return values;
  }
  sqlite3* db_ = nullptr;
};

int writes_of(World& world, const std::vector<std::string>& statements) {
  EXPECT_TRUE(world.machine().commit().has_value());
  Explained explained(world.path());
  int writes = 0;
  for (const std::string& sql : statements) {
    if (!sql.starts_with("BEGIN") && !sql.starts_with("COMMIT")) {
      writes += explained.writes(sql);
    }
  }
  return writes;
}

TEST(Budget, ASendWritesThreeBTrees) {
  StatementListener listener;
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  (void)world.send(ada, bob);
  listener.start();
  (void)world.send(bob, ada);
  listener.stop();
  EXPECT_EQ(writes_of(world, listener.statements), 3) << "message, its index, result";
  listener.start();
  (void)world.send(ada, ada);
  listener.stop();
  EXPECT_EQ(writes_of(world, listener.statements), 3 + 2) << "the first: conversation and member, too";
}

// No query scans a table, whatever plans say; each plan names an index.
TEST(Budget, QueriesUseIndexes) {
  StatementListener listener;
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const User eve = world.create("eve");
  for (int i = 0; i < 20; ++i) {
    (void)world.send(ada, bob);
    (void)world.send(eve, ada);
  }
  const auto conversation = world.messages(ada, with("bob"))[0].conversation;
  Reader& reader = world.read();
  listener.start();
  EXPECT_TRUE(reader.messages(ada.id, {}).has_value());
  EXPECT_TRUE(reader.messages(ada.id, {.conversation = conversation, .newest_first = true}).has_value());
  EXPECT_TRUE(reader.messages(ada.id, {.unread_only = true}).has_value());
  EXPECT_TRUE(reader.conversations(ada.id, {}).has_value());
  EXPECT_TRUE(reader.unread_counts(ada.id, {}).has_value());
  EXPECT_TRUE(reader.accounts(ada.id, "b*", {}).has_value());
  EXPECT_TRUE(reader.session(ada.session).has_value());
  EXPECT_TRUE(reader.credentials("bob").has_value());
  EXPECT_TRUE(reader.remembered(LogOut{.request = world.key(), .authority = ada.authority()}).has_value());
  EXPECT_TRUE(reader.events_between(Position(3), Position(9), 100).has_value());
  listener.stop();
  EXPECT_EQ(listener.scanned, 0);
  Explained explained(world.path());
  std::map<std::string, std::string> plans;
  for (const std::string& sql : listener.statements) {
    plans[sql] = explained.plan(sql);
  }
  EXPECT_GE(plans.size(), 12U);
  for (const auto& [sql, plan] : plans) {
    EXPECT_THAT(plan, Not(HasSubstr("SCAN"))) << sql;
    if (!sql.contains("ORDER BY owner")) {  // the rows of one request_id
      EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << sql;
    }
  }
}

struct Cost {
  std::int64_t inbox = 0;
  std::int64_t unread = 0;
  std::int64_t history = 0;
  std::int64_t conversations = 0;
  std::int64_t counts = 0;
  std::int64_t replay = 0;
  bool operator==(const Cost&) const = default;
};

// What ada pays for five messages from each of `peers`, while each conversation also holds `noise` messages
// that she sent, that she deleted, and that she has read, and others write to each other.
Cost cost_of(std::size_t peers, std::size_t noise) {
  StatementListener listener;
  World world;
  const User ada = world.create("ada");
  std::vector<User> others;
  for (std::size_t i = 0; i < peers; ++i) {
    const User peer = world.create("peer" + std::to_string(i));
    std::vector<MessageId> read{world.send(peer, ada)};
    std::vector<MessageId> deleted{world.send(peer, ada)};
    for (std::size_t n = 0; n < noise; ++n) {
      (void)world.send(ada, peer);
      read.push_back(world.send(peer, ada));
      deleted.push_back(world.send(peer, ada));
      (void)world.send(peer, others.empty() ? peer : others.back());
    }
    (void)world.mark(ada, read);
    for (int n = 0; n < 5; ++n) {
      (void)world.send(peer, ada);
    }
    (void)world.erase(ada, deleted);
    others.push_back(peer);
  }
  Reader& reader = world.read();
  const Position before_the_last(world.position().value() - 1);
  const auto steps = [&](auto query) {
    listener.start();
    query();
    listener.stop();
    return listener.steps;
  };
  const PageRequest page{.page_size = 5};
  Cost cost;
  cost.inbox =
      steps([&] { EXPECT_TRUE(reader.messages(ada.id, {.newest_first = true, .page = page}).has_value()); });
  cost.unread =
      steps([&] { EXPECT_TRUE(reader.messages(ada.id, {.unread_only = true, .page = page}).has_value()); });
  cost.history = steps([&] {
    EXPECT_TRUE(reader.messages(ada.id, {.peer = "peer0", .newest_first = true, .page = page}).has_value());
  });
  cost.conversations = steps([&] { EXPECT_TRUE(reader.conversations(ada.id, page).has_value()); });
  cost.counts = steps([&] { EXPECT_TRUE(reader.unread_counts(ada.id, page).has_value()); });
  cost.replay = steps([&] { EXPECT_TRUE(reader.events_after(ada.id, before_the_last, 5).has_value()); });
  return cost;
}

TEST(Budget, QueriesStepConversationsAndPageAndNothingElse) {
  const Cost small = cost_of(4, 1);
  const Cost noisy = cost_of(4, 40);
  EXPECT_EQ(noisy.inbox, small.inbox);
  EXPECT_EQ(noisy.unread, small.unread);
  EXPECT_EQ(noisy.history, small.history);
  EXPECT_EQ(noisy.conversations, small.conversations);
  EXPECT_EQ(noisy.counts, small.counts);
  EXPECT_EQ(noisy.replay, small.replay);
  // Instructions for each seek: 20 are generous.
  const Cost wide = cost_of(24, 1);
  constexpr std::int64_t kPerSeek = 20;
  constexpr std::int64_t kMorePeers = 20;
  EXPECT_LE(wide.inbox - small.inbox, kMorePeers * 5 * kPerSeek);
  EXPECT_LE(wide.conversations - small.conversations, kMorePeers * 10 * kPerSeek);
  EXPECT_LE(wide.history - small.history, kPerSeek) << "one conversation, whatever else there is";
}

TEST(Budget, ANameListLooksAtNoMoreThanItsShare) {
  World world;
  for (int i = 0; i < 10'050; ++i) {
    (void)world.create("x" + std::to_string(i));
    if (i % 2'000 == 0) {
      ASSERT_TRUE(world.machine().commit().has_value());
    }
  }
  (void)world.create("yes");
  const auto first = world.read().accounts(AccountId(2), "*yes", {});
  EXPECT_TRUE(first->items.empty()) << "short, but with a token";
  ASSERT_NE(first->next_page_token, "");
  const auto second = world.read().accounts(AccountId(2), "*yes", {.page_token = first->next_page_token});
  EXPECT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->next_page_token, "");
}

}  // namespace
}  // namespace parley::chat
