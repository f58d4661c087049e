// WriteProgress: what is known about a write after some attempts with the same request_id (rule 6).
// Invariants: (1) once one attempt is unknown, only an error with a position, or success, makes the outcome
// known; (2) a new request_id is made only where it is certain that nothing happened under the old one.
// Owned by: one call of a client. Knows no network and no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "client/attempt.h"

namespace parley::client {

enum class Next : std::uint8_t {
  stop,               // the answer is final, or asking again can tell nothing
  again,              // with the same request_id
  again_with_new_id,  // the id was made by a wrong clock: `error().server_time_unix_ms` is the right one
};

class WriteProgress {
 public:
  // `unknown_before`: an earlier call with this request_id ended as unknown.
  // `own_id_unix_ms`: when the request_id was made, as it says itself, if this call made it and so may make
  // another. Nothing: it is the caller's.
  WriteProgress(bool unknown_before, std::optional<std::int64_t> own_id_unix_ms)
      : unknown_(unknown_before), own_id_unix_ms_(own_id_unix_ms) {}

  [[nodiscard]] Next on_error(const AttemptError& attempt);

  [[nodiscard]] bool is_unknown() const { return unknown_; }
  // The error to tell: the newest that fits the outcome.
  [[nodiscard]] const base::Error& error() const { return error_; }

 private:
  [[nodiscard]] bool may_change_id() const { return own_id_unix_ms_ && !id_was_changed_; }
  [[nodiscard]] bool was_too_old_when_made(const base::Error& error) const;

  bool unknown_;
  std::optional<std::int64_t> own_id_unix_ms_;
  bool id_was_changed_ = false;
  base::Error error_;
};

}  // namespace parley::client
