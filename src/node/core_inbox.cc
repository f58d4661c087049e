#include "node/core_inbox.h"

#include <utility>

namespace parley::node {

bool CoreInbox::add(CoreEvent&& event, Urgency urgency) {
  events_.push_back(std::move(event));
  const bool is_urgent = urgency == Urgency::urgent;
  has_urgent_ = has_urgent_ || is_urgent;
  const bool wakes = rest_ == Rest::full || (rest_ == Rest::gathering && is_urgent);
  if (wakes) {
    rest_ = Rest::none;
  }
  return wakes;
}

bool CoreInbox::try_push(CoreEvent&& event, Urgency urgency) {
  bool wakes = false;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_ || events_.size() >= capacity_events_) {
      return false;
    }
    wakes = add(std::move(event), urgency);
  }
  if (wakes) {
    wake_.notify_one();
  }
  return true;
}

bool CoreInbox::push_waiting(CoreEvent&& event) {
  bool wakes = false;
  {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return closed_ || events_.size() < capacity_events_; });
    if (closed_) {
      return false;
    }
    wakes = add(std::move(event), Urgency::urgent);
  }
  if (wakes) {
    wake_.notify_one();
  }
  return true;
}

void CoreInbox::wait_until(std::chrono::steady_clock::time_point deadline, bool gathers) {
  std::unique_lock lock(mutex_);
  if (closed_ || has_urgent_ || (!gathers && !events_.empty())) {
    return;
  }
  rest_ = gathers ? Rest::gathering : Rest::full;
  wake_.wait_until(lock, deadline, [this] { return rest_ == Rest::none || closed_; });
  rest_ = Rest::none;
}

std::deque<CoreEvent> CoreInbox::take() {
  std::deque<CoreEvent> taken;
  bool was_full = false;
  {
    const std::scoped_lock lock(mutex_);
    was_full = events_.size() >= capacity_events_;
    taken.swap(events_);
    has_urgent_ = false;
  }
  if (was_full) {
    not_full_.notify_all();
  }
  return taken;
}

void CoreInbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
  not_full_.notify_all();
}

}  // namespace parley::node
