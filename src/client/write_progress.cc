#include "client/write_progress.h"

#include "base/limits.h"

namespace parley::client {

bool is_worth_another_attempt(const AttemptError& attempt) {
  using enum base::Code;
  if (attempt.reached == Reached::no || attempt.is_stranger) {
    return true;
  }
  switch (attempt.error.code) {
    case unavailable:
    case deadline_exceeded:
    case aborted:
    case cancelled:
    case internal:
    case unknown:
      return true;
    case resource_exhausted:  // overload passes; a limit of the request itself names its field
      return attempt.reached == Reached::answered && attempt.error.field.empty();
    default:
      return false;
  }
}

// This call made the id a moment ago, by a clock that is far behind, and the log refused it as forgotten. No
// attempt of this call can have happened before; but the node that answers may have sent the write twice, as
// at a change of leader. Had the first been executed, its result was found now, since it is looked for before
// anything is refused, and kept for 24 hours of cluster time. Only in the moment in which the results reach
// their limit can one whose id is older than all others be forgotten at once: a node that has sent a write
// twice tells no position then.
bool WriteProgress::was_too_old_when_made(const base::Error& error) const {
  return own_id_unix_ms_ && error.reason == "REQUEST_ID_FORGOTTEN" && error.is_final() &&
         *own_id_unix_ms_ < error.server_time_unix_ms - base::kResultLifetime_ms;
}

Next WriteProgress::on_error(const AttemptError& attempt) {
  const base::Error& error = attempt.error;
  if (!unknown_ && may_change_id() && was_too_old_when_made(error)) {
    error_ = error;
    error_.outcome = base::Outcome::refused;
    id_was_changed_ = true;
    return Next::again_with_new_id;
  }
  if (error.is_final() && error.outcome == base::Outcome::refused) {
    unknown_ = false;
    error_ = error;
  } else if (attempt.reached == Reached::maybe ||
             (attempt.reached == Reached::answered && error.outcome == base::Outcome::unknown)) {
    unknown_ = true;
    error_ = error;
    error_.outcome = base::Outcome::unknown;
  } else {
    // Refused, of this attempt alone. After an unknown one it is only the newest trouble.
    error_ = error;
    error_.outcome = unknown_ ? base::Outcome::unknown : base::Outcome::refused;
  }

  const bool clock_was_wrong =
      error.code == base::Code::failed_precondition && error.server_time_unix_ms != 0;
  if (clock_was_wrong) {
    if (unknown_ || !may_change_id()) {
      return Next::stop;
    }
    id_was_changed_ = true;
    return Next::again_with_new_id;
  }
  if (error.is_final()) {
    return Next::stop;
  }
  if (is_worth_another_attempt(attempt)) {
    return Next::again;
  }
  // A refusal without position after an unknown attempt: the first one may still be on its way, and a later
  // answer may come from the log. What an unknown outcome is told by something else than a node of ours,
  // asking again does not help.
  return unknown_ && attempt.reached == Reached::answered ? Next::again : Next::stop;
}

}  // namespace parley::client
