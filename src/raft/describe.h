// Consensus in words: one line for each thing, for logs, traces and golden scripts. Stable: tests compare
// them. Owned by: nobody. Any thread.
//
//   n2        the member of id 2, in the life that tests count as 1; n2@3f in any other (hexadecimal)
//   5/2       index 5, term 2
#pragma once

#include <string>

#include "raft/core.h"
#include "raft/message.h"
#include "raft/types.h"

namespace parley::raft {

[[nodiscard]] std::string describe(Role role);
[[nodiscard]] std::string describe(ProposeError error);
[[nodiscard]] std::string describe(const Member& member);
[[nodiscard]] std::string describe(const Configuration& configuration);
[[nodiscard]] std::string describe(const Entry& entry);
[[nodiscard]] std::string describe(const HardState& hard_state);
[[nodiscard]] std::string describe(const StorageBatch& batch);
[[nodiscard]] std::string describe(const Message& message);
[[nodiscard]] std::string describe(const Status& status);
// What an operator or a test wants to see of a leader's view: one line a peer. Empty on other roles.
[[nodiscard]] std::string describe_progress(const Core& core);

}  // namespace parley::raft
