#include "client/write_progress.h"

namespace parley::client {

bool is_worth_another_attempt(const AttemptError& attempt) {
  using enum base::Code;
  if (attempt.reached == Reached::no) {
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

Next WriteProgress::on_error(const AttemptError& attempt) {
  const base::Error& error = attempt.error;
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
    if (unknown_ || !may_change_id_ || id_was_changed_) {
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
