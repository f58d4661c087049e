// The budget of a send and of each query (design.md, Storage): what SQLite really ran, not what was planned.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/chat/chat_world.h"
#include "tests/chat/statement_listener.h"

namespace parley::chat {
namespace {

using testing::StatementListener;
using testing::User;
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

// What somebody asks, with all that a query may need.
struct Asker {
  User user;
  std::string peer;
  Position since;
  RequestKey request;
};

struct Query {
  const char* name;
  bool (*ask)(Reader&, const Asker&);
};

constexpr std::int32_t kPageSize = 5;
const PageRequest kPage{.page_size = kPageSize};

// Every query that a Reader has.
const std::vector<Query> kQueries = {
    {"inbox",
     [](Reader& reader, const Asker& asker) {
       return reader.messages(asker.user.id, {.newest_first = true, .page = kPage}).has_value();
     }},
    {"unread",
     [](Reader& reader, const Asker& asker) {
       return reader.messages(asker.user.id, {.unread_only = true, .page = kPage}).has_value();
     }},
    {"history",
     [](Reader& reader, const Asker& asker) {
       return reader.messages(asker.user.id, {.peer = asker.peer, .newest_first = true, .page = kPage})
           .has_value();
     }},
    {"conversations",
     [](Reader& reader, const Asker& asker) {
       return reader.conversations(asker.user.id, kPage).has_value();
     }},
    {"counts", [](Reader& reader,
                  const Asker& asker) { return reader.unread_counts(asker.user.id, kPage).has_value(); }},
    {"replay",
     [](Reader& reader, const Asker& asker) {
       return reader.events_after(asker.user.id, asker.since, kPageSize).has_value();
     }},
    {"replay for all",
     [](Reader& reader, const Asker& asker) {
       return reader.events_between(asker.since, reader.applied(), kPageSize).has_value();
     }},
    {"how far back", [](Reader& reader, const Asker&) { return reader.oldest_replayable().has_value(); }},
    {"session",
     [](Reader& reader, const Asker& asker) { return reader.session(asker.user.session).has_value(); }},
    {"credentials by name",
     [](Reader& reader, const Asker& asker) { return reader.credentials(asker.peer).has_value(); }},
    {"credentials by id",
     [](Reader& reader, const Asker& asker) { return reader.credentials(asker.user.id).has_value(); }},
    {"account", [](Reader& reader, const Asker& asker) { return reader.account(asker.peer).has_value(); }},
    {"accounts",
     [](Reader& reader, const Asker& asker) {
       return reader.accounts(asker.user.id, "peer*", kPage).has_value();
     }},
    {"nodes", [](Reader& reader, const Asker&) { return reader.nodes().has_value(); }},
    {"remembered",
     [](Reader& reader, const Asker& asker) {
       return reader.remembered(LogOut{.request = asker.request, .authority = asker.user.authority()})
           .has_value();
     }},
};

// The statements in the text of a source file: string literals, with those that follow them directly.
void add_statements(const std::string& text, std::set<std::string>& statements) {
  for (const char* verb : {"\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE "}) {
    for (std::size_t at = text.find(verb); at != std::string::npos; at = text.find(verb, at)) {
      std::string sql;
      while (at < text.size() && text[at] == '"') {
        const std::size_t end = text.find('"', at + 1);
        ASSERT_NE(end, std::string::npos);
        sql += text.substr(at + 1, end - at - 1);
        at = text.find_first_not_of(" \n", end + 1);
      }
      statements.insert(sql);
    }
  }
}

// Of all of src but the making of the tables.
std::set<std::string> statements_in_the_source() {
  std::set<std::string> statements;
  for (const auto& file : std::filesystem::recursive_directory_iterator(PARLEY_SOURCES)) {
    const std::string extension = file.path().extension();
    if ((extension == ".cc" || extension == ".h") && file.path().filename() != "schema.cc") {
      std::ifstream in(file.path());
      add_statements({std::istreambuf_iterator<char>(in), {}}, statements);
    }
  }
  return statements;
}

// Everything that people, nodes and time do to a state, and every query; small limits, so that each is met.
Asker live_through_everything(World& world) {
  const User ada = world.create("ada");
  User bob = world.create("bob");
  const User eve = world.create("eve");
  const User zoe = world.create("zoe");
  for (int i = 0; i < 20; ++i) {
    const MessageId id = world.send(ada, bob);
    (void)world.mark(bob, {id});
    (void)world.erase(bob, {id});
    (void)world.send(bob, ada);
  }
  (void)world.apply(ChangePassword{.request = world.key(),
                                   .authority = bob.authority(),
                                   .checked = bob.version,
                                   .new_password_hash = "new"});
  bob.version = bob.version.next();
  for (int i = 0; i < 25; ++i) {  // the oldest go
    (void)world.log_in(bob);
  }
  (void)world.apply(LogOut{.request = world.key(), .authority = bob.authority()});
  (void)world.log_in(bob);
  (void)world.apply(AnnounceNode{.node = base::NodeId(1),
                                 .incarnation = base::Incarnation(7),
                                 .peer_address = "a:1",
                                 .client_address = "a:2",
                                 .http_address = "a:3"});
  // Two who talked are gone: so is their conversation.
  (void)world.send(eve, zoe);
  (void)world.send(zoe, eve);
  (void)world.erase_account(eve);
  (void)world.sweep_all();
  (void)world.erase_account(zoe);
  (void)world.sweep_all();
  EXPECT_TRUE(world.machine().commit().has_value());
  world.crash_and_open();
  (void)world.send(ada, bob);
  return {
      .user = ada, .peer = "bob", .since = Position(world.position().value() - 1), .request = world.key()};
}

// Statements that read a B-tree from its beginning, or sort. Any other that does is a scan.
const std::map<std::string, const char*> kFromTheBeginning = {
    {"SELECT account, told_all, after_peer FROM deletion ORDER BY account LIMIT 1", "the next one"},
    {"SELECT position, length(details) FROM event ORDER BY position LIMIT 1", "the oldest"},
    {"SELECT position, hash, account, created_ms, expires_ms FROM session ORDER BY position LIMIT ?",
     "as many as one sweep may end"},
    {"SELECT request_id, owner, cluster_time_ms FROM result ORDER BY request_id, owner LIMIT ?",
     "as many as one command may forget"},
    {"SELECT id, incarnation, peer_address, client_address, http_address FROM node ORDER BY id",
     "a row for each node"},
};
constexpr const char* kSortsTheRowsOfOneRequest = "ORDER BY owner = ?2 DESC, owner LIMIT 1";

// Taken from the source, so that none can be forgotten: each is run here, and its plan looked at.
TEST(Budget, EveryStatementIsRunAndFindsItsRowsByAnIndex) {
  const std::set<std::string> written = statements_in_the_source();
  ASSERT_GE(written.size(), 40U) << "the source was not found in " PARLEY_SOURCES;
  StatementListener listener;
  World world({.max_results = 20, .max_events = 5});
  listener.start();
  const Asker asker = live_through_everything(world);
  Reader& reader = world.read();
  for (const Query& query : kQueries) {
    EXPECT_TRUE(query.ask(reader, asker)) << query.name;
  }
  listener.stop();
  std::set<std::string> run;
  for (const std::string& sql : listener.statements) {
    if (sql.starts_with("SELECT ") || sql.starts_with("INSERT ") || sql.starts_with("UPDATE ") ||
        sql.starts_with("DELETE ")) {
      run.insert(sql);
    }
  }
  EXPECT_THAT(run, ::testing::ContainerEq(written));
  Explained explained(world.path());
  for (const std::string& sql : written) {
    const std::string plan = explained.plan(sql);
    EXPECT_EQ(plan.contains("SCAN"), kFromTheBeginning.contains(sql)) << sql << "\n" << plan;
    EXPECT_EQ(plan.contains("TEMP B-TREE"), sql.ends_with(kSortsTheRowsOfOneRequest)) << sql << "\n" << plan;
  }
  for (const auto& [sql, why] : kFromTheBeginning) {
    EXPECT_TRUE(written.contains(sql)) << "no longer there: " << sql;
  }
}

// Whatever plans say.
TEST(Budget, NoQueryScansATable) {
  StatementListener listener;
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const User eve = world.create("eve");
  for (int i = 0; i < 20; ++i) {
    (void)world.send(ada, bob);
    (void)world.send(eve, ada);
  }
  const Asker asker{.user = ada, .peer = "bob", .since = Position(9), .request = world.key()};
  Reader& reader = world.read();
  listener.start();
  for (const Query& query : kQueries) {
    EXPECT_TRUE(query.ask(reader, asker)) << query.name;
    EXPECT_EQ(listener.scanned, 0) << query.name;
  }
  listener.stop();
}

using Cost = std::map<std::string, std::int64_t>;

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
  const Asker asker{
      .user = ada, .peer = "peer0", .since = Position(world.position().value() - 1), .request = world.key()};
  Reader& reader = world.read();
  Cost cost;
  for (const Query& query : kQueries) {
    listener.start();
    EXPECT_TRUE(query.ask(reader, asker)) << query.name;
    listener.stop();
    cost[query.name] = listener.steps;
  }
  return cost;
}

TEST(Budget, QueriesStepConversationsAndPageAndNothingElse) {
  const Cost small = cost_of(4, 1);
  const Cost noisy = cost_of(4, 40);
  for (const Query& query : kQueries) {
    EXPECT_EQ(noisy.at(query.name), small.at(query.name)) << query.name;
  }
  // Instructions for each seek: 20 are generous.
  const Cost wide = cost_of(24, 1);
  constexpr std::int64_t kPerSeek = 20;
  constexpr std::int64_t kMorePeers = 20;
  const auto more = [&](const char* name) { return wide.at(name) - small.at(name); };
  EXPECT_LE(more("inbox"), kMorePeers * 5 * kPerSeek);
  EXPECT_LE(more("conversations"), kMorePeers * 10 * kPerSeek);
  EXPECT_LE(more("history"), kPerSeek) << "one conversation, whatever else there is";
  for (const char* name : {"session", "credentials by name", "credentials by id", "account", "remembered"}) {
    EXPECT_LE(more(name), kPerSeek) << name << ": one row, whoever else there is";
  }
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
