// ExitCode: how `parley` tells a script what became of its command (design.md, section 4).
// Owned by: nobody, values.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace parley::cli {

enum class ExitCode : std::uint8_t {
  done = 0,
  refused = 1,      // nothing happened
  usage = 2,        // the command line is wrong, or this is no place to run it; a write that was done says so
  unavailable = 3,  // nothing happened, and the same command may work later
  unknown = 4,      // it may have happened
};

// An error of the command line, or of where it is run: no node was asked.
[[nodiscard]] base::Error usage_error(std::string what);

// Of such an error, of a read, or of a write whose outcome is "refused".
[[nodiscard]] ExitCode exit_code_of(const base::Error& error);

}  // namespace parley::cli
