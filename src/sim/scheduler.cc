#include "sim/scheduler.h"

#include <algorithm>
#include <utility>

namespace parley::sim {

void Scheduler::at(Time when, Action action) {
  base::ensure(when >= now_, "nothing is scheduled into the past");
  heap_.push_back(Event{when, scheduled_++, std::move(action)});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

bool Scheduler::run_next() {
  if (heap_.empty()) {
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Event event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.when;
  ++events_run_;
  event.action();
  return true;
}

}  // namespace parley::sim
