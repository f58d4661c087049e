// WriteOutcome: what became of a write, as types that a caller cannot mix up (design.md, section 1).
// Owned by: nobody, values. Any thread.
#pragma once

#include <string>
#include <variant>

#include "base/error.h"

namespace parley::client {

template <class T>
struct Done {
  T answer;
};

// Nothing happened, and nothing will: either the log decided so, or no attempt can have reached it.
struct Refused {
  base::Error error;
};

// It may have happened or may still happen. Asking again with this request_id tells, and is safe for 24
// hours.
struct Unknown {
  base::Error error;
  std::string request_id;  // empty for LogIn, which has none
};

template <class T>
using WriteOutcome = std::variant<Done<T>, Refused, Unknown>;

}  // namespace parley::client
