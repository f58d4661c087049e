// A cluster of one for tests of the state machine: it gives out positions, stamps, tokens and request ids,
// and keeps what was applied, as a log does. Owned by: a test. Its thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid7.h"
#include "chat/command.h"
#include "chat/format_limits.h"
#include "chat/reader.h"
#include "chat/request_digest.h"
#include "chat/state_machine.h"

namespace parley::chat::testing {

// A folder of its own that goes with the value.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An entry of the log.
struct Entry {
  Stamp stamp;
  std::string command;  // empty: none of chat's
};

struct User {
  AccountId id;
  std::string name;
  SessionHash session;
  PasswordVersion version{1};
  [[nodiscard]] Authority authority() const { return {.account = id, .session = session}; }
};

// Every row of every table as text, in order; `without` leaves tables out.
[[nodiscard]] std::string dump(const std::string& path, const std::vector<std::string>& without = {});

class World {
 public:
  explicit World(FormatLimits limits = {}, std::string vfs = {});

  [[nodiscard]] StateMachine& machine() { return *machine_; }
  [[nodiscard]] const StateOptions& options() const { return options_; }
  [[nodiscard]] const FormatLimits& limits() const { return limits_; }
  [[nodiscard]] std::string path() const { return options_.path; }
  [[nodiscard]] const std::vector<Entry>& log() const { return log_; }
  // Of each entry of the log, when it was applied first.
  [[nodiscard]] const std::vector<CommandResult>& results() const { return results_; }
  [[nodiscard]] Position position() const { return Position(log_.size()); }

  // Opens the state anew, as after a crash: what was not committed is gone.
  void crash_and_open();
  // Applies again what the log has beyond the state.
  void replay();

  [[nodiscard]] Stamp& stamp() { return stamp_; }
  [[nodiscard]] RequestKey key();  // a new request_id, its digest still to be filled
  [[nodiscard]] SessionHash new_session();
  [[nodiscard]] base::RequestId id_at(std::int64_t unix_ms);

  // Fills in the digest, appends and applies. The events are kept in `events`.
  CommandResult apply(const Command& command);
  // The same bytes again, as a forwarding node does.
  CommandResult apply_again(std::size_t entry);
  StateResult<Applied> try_apply(const Command& command);

  // Shorthands; each demands success.
  User create(const std::string& name);
  MessageId send(const User& from, const User& to, const std::string& body = "hello");
  CommandResult try_send(const User& from, const std::string& to, const std::string& body = "hello");
  CommandResult mark(const User& reader, const std::vector<MessageId>& ids);
  CommandResult erase(const User& user, const std::vector<MessageId>& ids);
  CommandResult erase_account(const User& user);
  CommandResult log_in(User& user);
  // Sweeps until nothing is left; how many that took.
  std::size_t sweep_all();

  // dump of everything applied.
  [[nodiscard]] std::string dumped(const std::vector<std::string>& without = {});
  // A reader in a new snapshot of everything applied.
  [[nodiscard]] Reader& read();
  [[nodiscard]] std::vector<MessageId> ids(const User& user, MessageQuery query = {});
  [[nodiscard]] std::vector<Message> messages(const User& user, MessageQuery query = {});

  std::vector<SharedEvent> events;  // of everything applied so far

 private:
  void open();

  TempFolder folder_;
  StateOptions options_;
  FormatLimits limits_;
  std::vector<Entry> log_;
  std::vector<CommandResult> results_;
  Stamp stamp_{.cluster_time_ms = 1'000, .wall_unix_ms = 1'800'000'000'000};
  std::uint64_t counter_ = 0;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<StateMachine> machine_;
};

[[nodiscard]] MessageQuery with(const std::string& peer);

}  // namespace parley::chat::testing
