#include "chat/reader.h"

#include "chat/reader_state.h"
#include "chat/schema.h"

namespace parley::chat {

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::~Reader() { end(); }

StateResult<std::unique_ptr<Reader>> Reader::open(const StateOptions& options) {
  return open_for_test(options, FormatLimits{});
}

StateResult<std::unique_ptr<Reader>> Reader::open_for_test(const StateOptions& options,
                                                           const FormatLimits& limits) {
  try {
    auto db = open_for_reading(options);
    require_schema(*db);
    return std::unique_ptr<Reader>(new Reader(std::make_unique<State>(std::move(db), limits)));
  } catch (const SQLite::Exception& thrown) {
    return std::unexpected(describe(thrown).error);
  } catch (const StateFailure& thrown) {
    return std::unexpected(thrown.error);
  }
}

StateResult<void> Reader::begin() {
  base::ensure(!state_->in_snapshot, "one snapshot at a time");
  StateError error;
  try {
    state_->db->exec("BEGIN");
    state_->in_snapshot = true;
    state_->store.reload();  // the first read takes the snapshot
    return {};
  } catch (const SQLite::Exception& thrown) {
    error = describe(thrown).error;
  } catch (const StateFailure& thrown) {
    error = thrown.error;
  }
  end();
  return std::unexpected(std::move(error));
}

void Reader::end() {
  if (!state_->in_snapshot) {
    return;
  }
  state_->in_snapshot = false;
  // A read transaction has nothing to lose; it is over even where this fails.
  (void)state_->db->tryExec("ROLLBACK");
}

Position Reader::applied() const { return state_->store.row.applied; }
base::ClusterId Reader::cluster_id() const { return state_->store.row.cluster_id; }

std::optional<TokenKey> Reader::token_key() const {
  const StateRow& row = state_->store.row;
  return row.cluster_id.is_none() ? std::nullopt : std::optional(derive_token_key(row.seed));
}

base::Result<std::optional<SessionInfo>> Reader::session(const SessionHash& hash) {
  using Answer = base::Result<std::optional<SessionInfo>>;
  return state_->query([&]() -> Answer {
    Store& store = state_->store;
    const auto session = store.sessions.find(hash);
    if (!session || session->expires_ms <= store.row.stamp.cluster_time_ms) {
      return std::nullopt;
    }
    const auto account = store.accounts.find(session->account);
    if (!account || !account->alive) {
      return std::nullopt;
    }
    return SessionInfo{.account = account->id, .account_name = account->name};
  });
}

namespace {

Account to_account(const AccountRow& row) {
  return {.id = row.id, .name = row.name, .created_at_unix_ms = row.created_at_unix_ms};
}

std::optional<Credentials> credentials_of(Store& store, const std::optional<AccountRow>& row) {
  if (!row || !row->alive) {
    return std::nullopt;
  }
  return Credentials{.account = to_account(*row),
                     .password_hash = store.accounts.password_hash(row->id),
                     .version = row->password_version};
}

}  // namespace

base::Result<std::optional<Credentials>> Reader::credentials(std::string_view name) {
  using Answer = base::Result<std::optional<Credentials>>;
  return state_->query([&]() -> Answer {
    return credentials_of(state_->store, state_->store.accounts.find_alive(std::string(name)));
  });
}

base::Result<std::optional<Credentials>> Reader::credentials(AccountId account) {
  using Answer = base::Result<std::optional<Credentials>>;
  return state_->query(
      [&]() -> Answer { return credentials_of(state_->store, state_->store.accounts.find(account)); });
}

base::Result<Account> Reader::account(std::string_view name) {
  return state_->query([&]() -> base::Result<Account> {
    const auto row = state_->store.accounts.find_alive(std::string(name));
    if (!row) {
      return std::unexpected(account_not_found());
    }
    return to_account(*row);
  });
}

base::Result<std::vector<NodeAddresses>> Reader::nodes() {
  return state_->query([&]() -> base::Result<std::vector<NodeAddresses>> {
    std::vector<NodeAddresses> nodes;
    for (AnnounceNode& node : state_->store.nodes.all()) {
      nodes.push_back({.node = node.node,
                       .incarnation = node.incarnation,
                       .peer_address = std::move(node.peer_address),
                       .client_address = std::move(node.client_address),
                       .http_address = std::move(node.http_address)});
    }
    return nodes;
  });
}

base::Result<std::optional<CommandResult>> Reader::remembered(const Command& command) {
  using Answer = base::Result<std::optional<CommandResult>>;
  return state_->query([&]() -> Answer {
    Store& store = state_->store;
    const RequestKey* key = request_key(command);
    if (key == nullptr) {
      return std::nullopt;
    }
    const auto stored = store.results.find_matching(key->id, owner_of(command), mark_of(command));
    if (!stored) {
      return std::nullopt;
    }
    CommandResult result;
    if (stored->digest == key->content_digest) {
      result = rebuild(command, *stored, store.accounts);
    } else {
      result.verdict = Verdict::request_id_reused;
      result.position = stored->position;
    }
    result.server_time_unix_ms = server_time_unix_ms(store.row);
    return result;
  });
}

}  // namespace parley::chat
