// ensure: a broken invariant stops the process, in release too.
// Owned by: nobody. Any thread.
#pragma once

#include <source_location>
#include <string_view>

namespace parley::base {

// Writes the reason and the place to stderr and aborts. Never returns.
[[noreturn]] void stop_process(std::string_view reason,
                               std::source_location where = std::source_location::current());

// States an invariant. `reason` says what must hold.
inline void ensure(bool holds, std::string_view reason,
                   std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]] {
    stop_process(reason, where);
  }
}

}  // namespace parley::base
