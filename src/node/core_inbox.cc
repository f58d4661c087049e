#include "node/core_inbox.h"

#include <algorithm>
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
    core_.wake();
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
    core_.wake();
  }
  return true;
}

bool CoreInbox::begin_rest(Rest rest) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || has_urgent_ || (rest == Rest::full && !events_.empty())) {
    return false;
  }
  rest_ = rest;
  return true;
}

bool CoreInbox::is_resting() {
  const std::scoped_lock lock(mutex_);
  return rest_ != Rest::none && !closed_;
}

void CoreInbox::rest(Rest rest, std::chrono::steady_clock::time_point until) {
  if (!begin_rest(rest)) {
    return;
  }
  while (is_resting() && std::chrono::steady_clock::now() < until) {
    core_.wait_until(until);
  }
  const std::scoped_lock lock(mutex_);
  rest_ = Rest::none;
}

// A write that has come while it gathered, and whose batch takes longer, ends the second rest before it
// begins.
void CoreInbox::wait_until(std::chrono::steady_clock::time_point deadline, bool gathers,
                           std::chrono::steady_clock::duration longest_gathering) {
  if (gathers) {
    rest(Rest::gathering, std::min(deadline, std::chrono::steady_clock::now() + longest_gathering));
  }
  rest(Rest::full, deadline);
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
  core_.wake();
  not_full_.notify_all();
}

}  // namespace parley::node
