// CommandResult: what apply decided. Depends on state and command alone (rule 3). A small part of it is
// remembered under the request_id, and the answer of a retry is rebuilt from that and the request. Owned by:
// nobody, a value. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "chat/types.h"

namespace parley::chat {

// A decision at apply. Every one but `done` changed nothing but its own result row, and becomes an Error with
// a position.
enum class Verdict : std::uint8_t {
  done = 0,
  name_taken = 1,            // ALREADY_EXISTS
  no_such_recipient = 2,     // NOT_FOUND "Recipient does not exist."
  no_such_messages = 3,      // NOT_FOUND: none of the ids is one that the caller may act on
  session_ended = 4,         // UNAUTHENTICATED; not remembered (rule 4)
  password_changed = 5,      // UNAUTHENTICATED; not remembered: the checked version is no longer current
  request_id_reused = 6,     // INVALID_ARGUMENT: the same request_id with another content; not remembered
  request_id_forgotten = 7,  // FAILED_PRECONDITION, outcome unknown; final: an id never comes back
  request_id_ahead = 8,  // FAILED_PRECONDITION: more than 60 s ahead; not remembered, or an id a year ahead
                         // would push the window there
  created_before = 9,    // CreateAccount: another attempt made `account` at `position`: the node checks the
                         // password, opens a session with LogIn, or answers to_error (rule 5)
};

struct CommandResult {
  Verdict verdict = Verdict::done;
  Position position;      // of the entry that decided: on a retry, the first one's
  bool is_retry = false;  // rebuilt from a remembered result
  AccountId account;      // created or acting account
  std::string account_name;
  std::int64_t created_at_unix_ms = 0;  // CreateAccount, LogIn
  std::int64_t session_expires_at_unix_ms =
      0;            // CreateAccount, LogIn: an estimate for people (stamp's wall time + lifetime)
  Message message;  // SendMessage, complete
  std::vector<MessageId> message_ids;    // MarkRead, DeleteMessages: those that it applied to
  std::int64_t server_time_unix_ms = 0;  // near the stamp's wall time, inside the window of new request ids
  bool operator==(const CommandResult&) const = default;
};

// Whether a retry with the same request_id can never get another answer. What is not final speaks of this
// attempt alone (rule 6).
[[nodiscard]] bool is_final(Verdict verdict);

// The error of a verdict other than done, with position where it is final.
[[nodiscard]] base::Error to_error(const CommandResult& result);

}  // namespace parley::chat
