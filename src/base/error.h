// Error: what a caller is told when something was not done, and whether it may still happen.
// Owned by: nobody, a value. Any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"

namespace parley::base {

// The canonical codes of gRPC, by their numbers.
enum class Code : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// Of a write that was not done: `refused` = nothing happened; `unknown` = it may have happened or
// may still happen, retry with the same request_id.
enum class Outcome : std::uint8_t { refused = 1, unknown = 2 };

// Mirrors ErrorInfo of the public API.
struct Error {
  Code code = Code::internal;
  Outcome outcome = Outcome::refused;
  std::string message;  // for people: what was wrong and what is allowed
  std::string reason;   // stable, UPPER_SNAKE_CASE
  std::string field;
  std::string limit;
  std::vector<std::uint64_t> message_ids;
  std::uint32_t retry_after_ms = 0;
  std::int64_t server_time_unix_ms = 0;  // 0: not set
  Position position;                     // set: decided in the log, final for this request_id

  [[nodiscard]] bool is_final() const { return !position.is_none(); }
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] Error refused(Code code, std::string reason, std::string message);
[[nodiscard]] Error outcome_unknown(Code code, std::string reason, std::string message);

// "NOT_FOUND" and so on; "CODE_17" for a number that is none.
[[nodiscard]] std::string to_string(Code code);

}  // namespace parley::base
