// Private to chat: the tables (docs/state-machine.md) and the version of their format.
#pragma once

#include "chat/sqlite.h"

namespace parley::chat {

inline constexpr int kStateFormat = 1;

// Makes the tables of an empty file. Throws StateFailure for a newer format or another program's file.
void prepare_schema(SQLite::Database& db);

// For a reader: throws unless the file holds a state of this format.
void require_schema(SQLite::Database& db);

}  // namespace parley::chat
