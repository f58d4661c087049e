// HousePace: when a leader may propose a command of its own (Sweep, Tick): while nobody's write waits (rule
// 9), and once in a while although one does. Under a load that never ends, what was deleted and what has
// expired would otherwise stay for ever; a step of at most 500 rows a second is all that the load pays.
// Passive. Owned by: the core loop. Core thread alone.
#pragma once

#include <chrono>

#include "node/cluster_clock.h"

namespace parley::node {

class HousePace {
 public:
  static constexpr std::chrono::seconds kLongestWait{1};

  [[nodiscard]] bool is_time(bool is_idle, SteadyTime now) const { return is_idle || now >= next_; }
  void proposed(SteadyTime now) { next_ = now + kLongestWait; }

 private:
  SteadyTime next_;
};

}  // namespace parley::node
