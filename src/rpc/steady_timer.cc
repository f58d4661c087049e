#include "rpc/steady_timer.h"

#include <utility>

namespace parley::rpc {

void SteadyTimer::run_after(std::chrono::milliseconds delay, Task task) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) {
    return;  // `task` is destroyed by the caller, without the lock
  }
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  const auto added = tasks_.emplace(std::chrono::steady_clock::now() + delay, std::move(task));
  if (added == tasks_.begin()) {
    changed_.notify_one();
  }
}

void SteadyTimer::stop() {
  std::multimap<std::chrono::steady_clock::time_point, Task> dropped;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
    changed_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void SteadyTimer::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (tasks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto due = tasks_.begin()->first;
    if (due > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, due);
      continue;
    }
    auto first = tasks_.extract(tasks_.begin());
    lock.unlock();
    first.mapped()();
    first.mapped() = nullptr;  // what it holds goes without the lock
    lock.lock();
  }
}

}  // namespace parley::rpc
