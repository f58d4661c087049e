// StateMachine: the chat's replicated state in one SQLite file (design.md, The state). Deterministic: state
// and command alone decide, no clock, nothing random. Executes at once inside an open transaction; commits
// lazily, the applied position in the same transaction as the rows. Owned by: the node. All calls: the apply
// thread alone (it holds the one connection that writes and checkpoints).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "chat/event.h"
#include "chat/result.h"
#include "chat/token.h"
#include "chat/types.h"

namespace parley::chat {

// The disk or SQLite failed: applying stops here, on this node. Never a result (rule 3).
struct StateError {
  std::string what;
  bool is_disk_full = false;
  bool is_damaged = false;
  bool is_newer_format = false;
  bool operator==(const StateError&) const = default;
};

template <class T>
using StateResult = std::expected<T, StateError>;

struct StateOptions {
  std::string path;  // of state.db; made with mode 0600 if missing
  std::string vfs;   // SQLite VFS name; empty: the default one (tests inject faults)
  std::uint64_t checkpoint_wal_size_bytes = 4 * 1024 * 1024;
};

struct FormatLimits;  // chat/format_limits.h

struct Applied {
  CommandResult result;
  std::vector<SharedEvent> events;  // to give to watchers once the position is given out
};

class StateMachine {
 public:
  // Makes the file where it is missing. What was committed before and may not be on the disk yet is
  // checkpointed first, so that checkpointed() == applied() afterwards.
  [[nodiscard]] static StateResult<std::unique_ptr<StateMachine>> open(StateOptions options);
  // Other limits than the format's, so that a test meets them. Nobody else.
  [[nodiscard]] static StateResult<std::unique_ptr<StateMachine>> open_for_test(StateOptions options,
                                                                                const FormatLimits& limits);
  // Drops what is not committed: the log has it.
  ~StateMachine();
  StateMachine(const StateMachine&) = delete;
  StateMachine& operator=(const StateMachine&) = delete;

  // The last position executed (committed or not). Entries come without a gap.
  [[nodiscard]] Position applied() const;
  // The last position that a completed, synced checkpoint of the state file holds: the bound of log
  // compaction (rule 7).
  [[nodiscard]] Position checkpointed() const;

  // Entry 1: cluster id and the 32 random bytes from which the token key comes.
  [[nodiscard]] StateResult<void> apply_founding(Position position, const base::ClusterId& cluster_id,
                                                 std::string_view state_seed);
  // An entry that is none of chat's (no-op, configuration): only the applied position moves.
  [[nodiscard]] StateResult<void> apply_nothing(Position position);
  // One command. An undecodable command is an error of this node (newer format), not a result.
  //
  // After an error of any call, what was not committed is rolled back: applied() is again the last committed
  // position, and the node applies the entries after it once more, on this object or on one opened anew. This
  // object gives no event out twice: applying again at a position that was given out returns the same result
  // without events.
  [[nodiscard]] StateResult<Applied> apply(Position position, const Stamp& stamp, std::string_view command);

  // Makes everything applied visible to readers and, by the next checkpoint, durable. No-op if nothing is
  // open.
  [[nodiscard]] StateResult<void> commit();
  [[nodiscard]] std::uint64_t uncommitted_entries() const;
  // Checkpoints when SQLite's WAL has grown beyond the option; call after commit, where a pause of a few ms
  // is least felt.
  [[nodiscard]] StateResult<bool> checkpoint_if_due();

  // The leader's node proposes Sweep while there is something to clear up, and Tick when cluster time reaches
  // the next expiry. Nothing: nothing will expire.
  [[nodiscard]] bool has_sweep_work() const;
  [[nodiscard]] std::optional<std::int64_t> next_expiry_cluster_time_ms() const;
  // Of the last stamp applied: a new leader's cluster time goes on from the last one in its log.
  [[nodiscard]] Stamp last_stamp() const;

  // Of entry 1, also when the log no longer holds it. Nothing: not founded yet.
  [[nodiscard]] std::optional<base::ClusterId> cluster_id() const;
  [[nodiscard]] std::optional<TokenKey> token_key() const;

 private:
  struct State;
  explicit StateMachine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::chat
