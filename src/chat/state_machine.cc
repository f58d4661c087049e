#include "chat/state_machine.h"

#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/ensure.h"
#include "chat/command.h"
#include "chat/schema.h"
#include "chat/sqlite.h"
#include "chat/store.h"
#include "chat/turn.h"

namespace parley::chat {
namespace {

constexpr std::size_t kWriterCacheRows = 100'000;  // of each kind and generation
constexpr int kFallbackFactor = 8;  // a WAL this many times the limit is worth waiting for readers

std::unexpected<StateError> failed(StateError error) { return std::unexpected(std::move(error)); }

}  // namespace

struct StateMachine::State {
  State(std::unique_ptr<SQLite::Database> opened, StateOptions given, const FormatLimits& with)
      : db(std::move(opened)), options(std::move(given)), limits(with), store(*db, kWriterCacheRows) {
    sqlite3_wal_hook(
        db->getHandle(),
        [](void* self, sqlite3*, const char*, int frames) {
          static_cast<State*>(self)->on_wal_grown(frames);
          return SQLITE_OK;
        },
        this);
    page_size_bytes = static_cast<std::uint64_t>(db->execAndGet("PRAGMA page_size").getInt64());
  }

  void on_wal_grown(int frames) {
    if (frames < wal_frames) {  // begun anew: all of it had reached the database
      checkpointed_frames = 0;
      waited_at_frames = 0;
    }
    wal_frames = frames;
  }

  // Runs `work` on the open transaction; on any error everything since the last commit is taken back.
  template <class Work>
  auto guarded(Work work) -> StateResult<decltype(work())> {
    if (broken) {
      return failed(*broken);
    }
    StateError error;
    try {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        return {};
      } else {
        return work();
      }
    } catch (const SQLite::Exception& thrown) {
      const Failure failure = describe(thrown);
      error = failure.error;
      if (failure.sync_failed) {
        broken = error;
      }
    } catch (const StateFailure& thrown) {
      error = thrown.error;
    }
    take_back();
    return failed(std::move(error));
  }

  // For calls that cannot say what failed: the next one that can does.
  template <class Look>
  auto looked_up(Look look) -> StateResult<decltype(look())> {
    auto answer = guarded(look);
    if (!answer && !broken) {
      broken = answer.error();
    }
    return answer;
  }

  void begin() {
    if (!in_transaction) {
      db->exec("BEGIN IMMEDIATE");
      in_transaction = true;
    }
  }

  void take_back() {
    try {
      if (sqlite3_get_autocommit(db->getHandle()) == 0) {
        db->exec("ROLLBACK");
      }
      in_transaction = false;
      store.reload();
    } catch (const SQLite::Exception& thrown) {
      broken = describe(thrown).error;
    } catch (const StateFailure& thrown) {
      broken = thrown.error;
    }
    uncommitted = 0;
  }

  void advance(Position position, const Stamp* stamp) {
    base::ensure(position == store.row.applied.next(), "entries are applied without a gap");
    begin();
    store.row.applied = position;
    if (stamp != nullptr) {
      store.row.stamp.cluster_time_ms = std::max(store.row.stamp.cluster_time_ms, stamp->cluster_time_ms);
      store.row.stamp.wall_unix_ms = stamp->wall_unix_ms;
    }
    ++uncommitted;
  }

  void commit() {
    if (uncommitted == 0) {
      return;
    }
    begin();
    store.state_rows.store(store.row);
    db->exec("COMMIT");
    in_transaction = false;
    uncommitted = 0;
  }

  // Whether every frame reached the database file; SQLite has synced it then.
  bool checkpoint(int mode) {
    int frames = 0;
    int done = 0;
    const int code = sqlite3_wal_checkpoint_v2(db->getHandle(), nullptr, mode, &frames, &done);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
      throw SQLite::Exception(db->getHandle(), code);
    }
    wal_frames = std::max(0, frames);
    checkpointed_frames = std::max(0, done);
    if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE) {
      wal_frames = 0;
      checkpointed_frames = 0;
      waited_at_frames = 0;
    }
    if (code != SQLITE_OK || frames != done) {
      return false;
    }
    checkpointed = store.row.applied;
    return true;
  }

  [[nodiscard]] bool wal_has(std::uint64_t size_bytes, int since_frame) const {
    return static_cast<std::uint64_t>(std::max(0, wal_frames - since_frame)) * page_size_bytes > size_bytes;
  }

  std::unique_ptr<SQLite::Database> db;
  StateOptions options;
  FormatLimits limits;
  Store store;
  std::optional<StateError> broken;  // a rollback failed, or a sync: only opening the file anew helps
  bool in_transaction = false;
  std::uint64_t uncommitted = 0;
  Position given_out;  // up to here, results and events have been returned
  Position checkpointed;
  int wal_frames = 0;
  int checkpointed_frames = 0;
  int waited_at_frames = 0;
  std::uint64_t page_size_bytes = 0;
};

StateMachine::StateMachine(std::unique_ptr<State> state) : state_(std::move(state)) {}
StateMachine::~StateMachine() = default;

StateResult<std::unique_ptr<StateMachine>> StateMachine::open(StateOptions options) {
  return open_for_test(std::move(options), FormatLimits{});
}

StateResult<std::unique_ptr<StateMachine>> StateMachine::open_for_test(StateOptions options,
                                                                       const FormatLimits& limits) {
  try {
    auto db = open_for_writing(options);
    prepare_schema(*db);
    auto state = std::make_unique<State>(std::move(db), std::move(options), limits);
    state->store.reload();
    // A reader may still hold a snapshot (of an object before this one); then the next checkpoint catches up.
    (void)state->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    return std::unique_ptr<StateMachine>(new StateMachine(std::move(state)));
  } catch (const SQLite::Exception& thrown) {
    return failed(describe(thrown).error);
  } catch (const StateFailure& thrown) {
    return failed(thrown.error);
  }
}

Position StateMachine::applied() const { return state_->store.row.applied; }
Position StateMachine::checkpointed() const { return state_->checkpointed; }
Stamp StateMachine::last_stamp() const { return state_->store.row.stamp; }
std::uint64_t StateMachine::uncommitted_entries() const { return state_->uncommitted; }

std::optional<base::ClusterId> StateMachine::cluster_id() const {
  const auto& id = state_->store.row.cluster_id;
  return id.is_none() ? std::nullopt : std::optional(id);
}

std::optional<TokenKey> StateMachine::token_key() const {
  const StateRow& row = state_->store.row;
  return row.cluster_id.is_none() ? std::nullopt : std::optional(derive_token_key(row.seed));
}

StateResult<void> StateMachine::apply_founding(Position position, const base::ClusterId& cluster_id,
                                               std::string_view state_seed) {
  base::ensure(!cluster_id.is_none() && !state_seed.empty(), "a founding entry has cluster id and seed");
  return state_->guarded([&] {
    state_->advance(position, nullptr);
    state_->store.row.cluster_id = cluster_id;
    state_->store.row.seed = state_seed;
    state_->given_out = std::max(state_->given_out, position);
  });
}

StateResult<void> StateMachine::apply_nothing(Position position) {
  return state_->guarded([&] {
    state_->advance(position, nullptr);
    state_->given_out = std::max(state_->given_out, position);
  });
}

StateResult<Applied> StateMachine::apply(Position position, const Stamp& stamp, std::string_view command) {
  const auto decoded = decode_command(command);
  if (!decoded) {
    return failed({.what = "entry " + std::to_string(position.value()) + ": " + decoded.error(),
                   .is_newer_format = true});
  }
  return state_->guarded([&] {
    state_->advance(position, &stamp);
    Turn turn(state_->store, state_->limits, position);
    Applied applied;
    applied.result = turn.run(*decoded);
    if (position > state_->given_out) {
      applied.events = turn.take_events();
      state_->given_out = position;
    }
    return applied;
  });
}

StateResult<void> StateMachine::commit() {
  return state_->guarded([&] { state_->commit(); });
}

StateResult<bool> StateMachine::checkpoint_if_due() {
  return state_->guarded([&] {
    State& state = *state_;
    const std::uint64_t limit = state.options.checkpoint_wal_size_bytes;
    if (state.uncommitted != 0 || !state.wal_has(limit, state.checkpointed_frames)) {
      // A checkpoint cannot run inside a transaction.
      return false;
    }
    // Readers go on while a passive one runs. It cannot pass a reader's snapshot, and a WAL with readers in
    // it is not begun anew; so a very long one waits for them (none stays longer than 1 s).
    const bool must_shrink =
        state.wal_has(limit * kFallbackFactor, 0) && state.wal_has(limit, state.waited_at_frames);
    if (must_shrink) {
      state.waited_at_frames = state.wal_frames;  // in vain, maybe: not again with the next commit
    }
    return state.checkpoint(must_shrink ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
  });
}

bool StateMachine::has_sweep_work() const {
  const auto answer = state_->looked_up([&] { return chat::has_sweep_work(state_->store, state_->limits); });
  return answer.value_or(false);
}

std::optional<std::int64_t> StateMachine::next_expiry_cluster_time_ms() const {
  const auto answer = state_->looked_up([&] { return next_expiry_ms(state_->store); });
  return answer.value_or(std::nullopt);
}

}  // namespace parley::chat
