// StatusTicker: calls back at intervals, for streams that repeat themselves. One thread for all. Private to
// service. Owned by: Service::State. Any thread adds; callbacks run on the ticker's thread and must not
// block.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace parley::service {

class StatusTicker {
 public:
  StatusTicker();
  ~StatusTicker();
  StatusTicker(const StatusTicker&) = delete;
  StatusTicker& operator=(const StatusTicker&) = delete;

  // `tick` is called every `interval` until it answers false.
  void add(std::chrono::milliseconds interval, std::move_only_function<bool()> tick);
  // No tick is running or will come once it has returned.
  void stop();

 private:
  struct Entry {
    std::chrono::milliseconds interval;
    std::move_only_function<bool()> tick;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, Entry> due_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley::service
