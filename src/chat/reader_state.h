// Private to chat: what a Reader is made of.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/ensure.h"
#include "chat/errors.h"
#include "chat/format_limits.h"
#include "chat/page_token.h"
#include "chat/reader.h"
#include "chat/sqlite.h"
#include "chat/store.h"

namespace parley::chat {

struct Reader::State {
  // A page asks for a few hundred accounts; nothing of one snapshot is used in the next.
  static constexpr std::size_t kCacheRows = 2'000;

  State(std::unique_ptr<SQLite::Database> opened, const FormatLimits& with)
      : db(std::move(opened)), limits(with), store(*db, kCacheRows) {}

  // A query inside the snapshot; what SQLite throws becomes an error of this node.
  template <class Query>
  auto query(Query run) -> decltype(run()) {
    base::ensure(in_snapshot, "a query runs between begin() and end()");
    try {
      return run();
    } catch (const SQLite::Exception& thrown) {
      return std::unexpected(state_unreadable(describe(thrown).error.what));
    } catch (const StateFailure& thrown) {
      return std::unexpected(state_unreadable(thrown.error.what));
    }
  }

  [[nodiscard]] PageScope scope(std::string query) const {
    return {.key = derive_token_key(store.row.seed),
            .cluster_id = store.row.cluster_id,
            .query = std::move(query)};
  }

  std::unique_ptr<SQLite::Database> db;
  FormatLimits limits;
  Store store;
  bool in_snapshot = false;
};

}  // namespace parley::chat
