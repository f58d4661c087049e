#include "service/status_ticker.h"

#include <utility>

namespace parley::service {

StatusTicker::StatusTicker() : thread_([this] { run(); }) {}

StatusTicker::~StatusTicker() { stop(); }

void StatusTicker::add(std::chrono::milliseconds interval, std::move_only_function<bool()> tick) {
  {
    const std::scoped_lock lock(mutex_);
    due_.emplace(std::chrono::steady_clock::now() + interval, Entry{interval, std::move(tick)});
  }
  changed_.notify_one();
}

void StatusTicker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void StatusTicker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto next = due_.begin()->first;
    if (std::chrono::steady_clock::now() < next) {
      changed_.wait_until(lock, next);
      continue;
    }
    Entry entry = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    lock.unlock();
    const bool goes_on = entry.tick();
    lock.lock();
    if (goes_on) {
      // From now, not from `next`: a late ticker does not catch up by a burst.
      due_.emplace(std::chrono::steady_clock::now() + entry.interval, std::move(entry));
    }
  }
}

}  // namespace parley::service
