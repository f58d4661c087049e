// Scheduler: the virtual clock and the queue of what is to happen. Events at the same time run in the order
// in which they were scheduled. Owned by: the run. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/random.h"

namespace parley::sim {

class Scheduler {
 public:
  using Action = std::move_only_function<void()>;

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] std::uint64_t events_run() const { return events_run_; }

  void at(Time when, Action action);
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  // Moves the clock to the next event and runs it. False: there is none.
  bool run_next();

 private:
  struct Event {
    Time when;
    std::uint64_t order;
    Action action;
  };
  static bool later(const Event& a, const Event& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }

  Time now_{0};
  std::uint64_t scheduled_ = 0;
  std::uint64_t events_run_ = 0;
  std::vector<Event> heap_;  // the earliest first
};

}  // namespace parley::sim
