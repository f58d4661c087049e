// SteadyTimer: runs tasks after a while, by the monotonic clock, on a thread of its own. gRPC's own alarms
// wait on the wall clock (abseil's futex): after that is set back by two days they do not fire for two days.
// Private to rpc. Owned by: a CompletionLoop. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace parley::rpc {

class SteadyTimer {
 public:
  using Task = std::move_only_function<void()>;

  SteadyTimer() = default;
  ~SteadyTimer() { stop(); }
  SteadyTimer(const SteadyTimer&) = delete;
  SteadyTimer& operator=(const SteadyTimer&) = delete;

  // The task must not block. Dropped if the timer stops before.
  void run_after(std::chrono::milliseconds delay, Task task);
  // Not from a task.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, Task> tasks_;
  bool stopped_ = false;
  std::thread thread_;  // started with the first task
};

}  // namespace parley::rpc
