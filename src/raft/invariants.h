// What always holds of a core, and of a core before and after a step (LogCabin's idea: the replica checks
// itself). Tests and the simulator run these after every step. The numbers are those of
// docs/consensus-core.md. Owned by: nobody. Whoever may read the core.
#pragma once

#include <string>
#include <vector>

#include "raft/core.h"

namespace parley::raft {

// Each broken invariant in words; empty: all hold.
[[nodiscard]] std::vector<std::string> broken_invariants(const Core& core);

// `before` and `after` are one core of one process (or two lives of it: then what was not stored may be gone,
// which is not for this function).
[[nodiscard]] std::vector<std::string> broken_changes(const Core& before, const Core& after);

}  // namespace parley::raft
