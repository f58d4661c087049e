// WriteProgress: what is known about a write after some attempts with the same request_id (rule 6).
// Invariants: (1) once one attempt is unknown, only an error with a position, or success, makes the outcome
// known; (2) a new request_id is made only while the outcome of the old one is "refused".
// Owned by: one call of a client. Knows no network and no clock.
#pragma once

#include <cstdint>

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
  // `may_change_id`: the request_id was made by the client itself, so it may make another.
  WriteProgress(bool unknown_before, bool may_change_id)
      : unknown_(unknown_before), may_change_id_(may_change_id) {}

  [[nodiscard]] Next on_error(const AttemptError& attempt);

  [[nodiscard]] bool is_unknown() const { return unknown_; }
  // The error to tell: the newest that fits the outcome.
  [[nodiscard]] const base::Error& error() const { return error_; }

 private:
  bool unknown_;
  bool may_change_id_;
  bool id_was_changed_ = false;
  base::Error error_;
};

}  // namespace parley::client
