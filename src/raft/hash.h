// A hash of a Machine, for checkers that remember the states they have seen. Equal machines hash equal; it
// covers what tells states apart in practice, and operator== decides. Private to src/raft.
// Owned by: nobody. Any thread.
#pragma once

#include <cstdint>

#include "raft/machine.h"

namespace parley::raft {

[[nodiscard]] std::uint64_t hash_of(const Machine& machine);

}  // namespace parley::raft
