// Private to node: whether a state file goes with this node's log. Somebody may have put another cluster's in
// its place: what it has "applied" is another history.
// Owned by: nobody. Any thread.
#pragma once

#include "base/ids.h"

namespace parley::node {

// `applied` and `of_state`: what the state says of itself. Before the founding it says nothing, and goes with
// every log.
[[nodiscard]] inline bool is_of_another_cluster(base::Position applied, const base::ClusterId& of_state,
                                                const base::ClusterId& of_log) {
  return !applied.is_none() && !of_log.is_none() && of_state != of_log;
}

}  // namespace parley::node
