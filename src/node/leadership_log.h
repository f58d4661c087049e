// LeadershipLog: the last changes of leader as this node saw them, each with the time that it took. Passive.
// Owned by: the core loop. Core thread alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "node/chat_node.h"
#include "node/ordered_log.h"
#include "node/pending.h"

namespace parley::node {

class LeadershipLog {
 public:
  void on_status(const LogStatus& status, std::int64_t wall_unix_ms, SteadyTime now);
  // A sign of life from the present leader (on the leader: its lease holds).
  void heard_leader(SteadyTime now) { heard_at_ = now; }
  // The last 20, oldest first.
  [[nodiscard]] const std::vector<LeaderChange>& changes() const { return changes_; }

 private:
  std::vector<LeaderChange> changes_;
  std::optional<SteadyTime> heard_at_;
};

}  // namespace parley::node
