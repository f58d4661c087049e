// Private to chat: the one row of table `state`: replicated, and not a table. In memory between commits.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/uuid7.h"
#include "chat/sqlite.h"
#include "chat/types.h"

namespace parley::chat {

struct StateRow {
  Position applied;
  Stamp stamp;
  base::ClusterId cluster_id;
  std::string seed;
  base::RequestId forgotten;  // the highest request_id ever forgotten
  std::int64_t results = 0;
  std::int64_t events = 0;  // rows of `event`, and the bytes of their details
  std::int64_t events_bytes = 0;
  Position last_dropped_event;
  bool operator==(const StateRow&) const = default;
};

class StateRowTable {
 public:
  explicit StateRowTable(SQLite::Database& db);
  [[nodiscard]] StateRow load();
  void store(const StateRow& row);

 private:
  Prepared load_;
  Prepared store_;
};

}  // namespace parley::chat
