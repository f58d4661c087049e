// AttemptError: how one attempt of a call failed, and what it tells about the write it carried.
// Owned by: nobody, a value. Any thread.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace parley::client {

enum class Reached : std::uint8_t {
  no,        // no connection: the server never saw this attempt
  answered,  // the server answered, with ErrorInfo, or that it knows no such call
  maybe,     // neither: it broke on the way, or what answered is not ours
};

struct AttemptError {
  base::Error error;
  Reached reached = Reached::maybe;
  bool is_stranger = false;  // no node of the caller's cluster answered, so it did nothing; another one may
};

// The reason of a server that is no node's client port. Ours, not a node's.
inline constexpr const char* kNoClientPort = "NO_CLIENT_PORT";

// Of errors that another node, or the same one a moment later, may not give.
[[nodiscard]] bool is_worth_another_attempt(const AttemptError& attempt);

}  // namespace parley::client
