// Which process holds the other end of a connection over loopback, as /proc tells. Owned by: nobody. Any
// thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>

namespace parley::demo {

// `accepted`: this end. Looks at `candidates` only, which have to be this user's processes. Nothing: none of
// them holds it (any more).
[[nodiscard]] std::optional<pid_t> owner_of_other_end(int accepted, std::span<const pid_t> candidates);

}  // namespace parley::demo
