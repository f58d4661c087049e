#include "chat/schema.h"

#include <SQLiteCpp/Transaction.h>

#include <string>

namespace parley::chat {
namespace {

constexpr int kApplicationId = 0x50524c59;  // "PRLY"

// One row of `state`: what is replicated and not a table. Written by each commit.
constexpr const char* kTables = R"sql(
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  applied INTEGER NOT NULL,
  cluster_time_ms INTEGER NOT NULL,
  wall_unix_ms INTEGER NOT NULL,
  cluster_id BLOB NOT NULL,
  seed BLOB NOT NULL,
  forgotten_request BLOB NOT NULL,
  results INTEGER NOT NULL,
  events INTEGER NOT NULL,
  events_bytes INTEGER NOT NULL,
  last_dropped_event INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  alive INTEGER NOT NULL,
  created_at_unix_ms INTEGER NOT NULL,
  password_version INTEGER NOT NULL,
  password_hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX account_by_name ON account (name) WHERE alive = 1;

CREATE TABLE session (
  position INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  account INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX session_by_hash ON session (hash);
CREATE INDEX session_by_account ON session (account);

CREATE TABLE conversation (
  id INTEGER PRIMARY KEY,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
  account INTEGER NOT NULL,
  peer INTEGER NOT NULL,
  conversation INTEGER NOT NULL,
  PRIMARY KEY (account, peer, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  sender INTEGER NOT NULL,
  sent_at_unix_ms INTEGER NOT NULL,
  request_id BLOB NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX message_by_lane ON message (conversation, lane);

CREATE TABLE result (
  request_id BLOB NOT NULL,
  owner INTEGER NOT NULL,
  position INTEGER NOT NULL,
  cluster_time_ms INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  verdict INTEGER NOT NULL,
  session BLOB NOT NULL,
  details BLOB NOT NULL,
  PRIMARY KEY (request_id, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  position INTEGER PRIMARY KEY,
  author INTEGER NOT NULL,
  request_id BLOB NOT NULL,
  details BLOB NOT NULL
) STRICT;

CREATE TABLE deletion (
  account INTEGER PRIMARY KEY,
  told_all INTEGER NOT NULL,
  after_peer INTEGER NOT NULL
) STRICT;

CREATE TABLE node (
  id INTEGER PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  peer_address TEXT NOT NULL,
  client_address TEXT NOT NULL,
  http_address TEXT NOT NULL
) STRICT;

INSERT INTO state VALUES (0, 0, 0, 0, x'', x'', zeroblob(16), 0, 0, 0, 0);
)sql";

int pragma_of(SQLite::Database& db, const char* pragma) { return db.execAndGet(pragma).getInt(); }

void check_format(int format) {
  if (format > kStateFormat) {
    throw StateFailure{{.what = "the state file has format " + std::to_string(format) +
                                ", this version knows formats up to " + std::to_string(kStateFormat),
                        .is_newer_format = true}};
  }
}

void check_owner(SQLite::Database& db) {
  if (pragma_of(db, "PRAGMA application_id") != kApplicationId) {
    throw_damaged("this is an SQLite file, but not a state of Parley");
  }
}

}  // namespace

void prepare_schema(SQLite::Database& db) {
  const int format = pragma_of(db, "PRAGMA user_version");
  check_format(format);
  if (format != 0) {
    check_owner(db);
    return;
  }
  if (pragma_of(db, "SELECT count(*) FROM sqlite_schema") != 0) {
    throw_damaged("tables without a format version");
  }
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  db.exec(kTables);
  db.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  db.exec("PRAGMA user_version = " + std::to_string(kStateFormat));
  transaction.commit();
}

void require_schema(SQLite::Database& db) {
  const int format = pragma_of(db, "PRAGMA user_version");
  check_format(format);
  if (format == 0) {
    throw StateFailure{{.what = "the state file is empty"}};
  }
  check_owner(db);
}

}  // namespace parley::chat
