// Loop: the gateway's one thread, with Asio's event loop on it. Other threads only post: many tasks that come
// together cost one wake-up. Private to gateway. Owned by: the gateway, shared with what is under way. Any
// thread posts.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "service/service.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Asio's name
}

namespace parley::gateway {

class Loop : public service::Executor {
 public:
  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] boost::asio::io_context& context() const { return *context_; }
  void start();
  [[nodiscard]] bool on_own_thread() const { return own_thread_ == std::this_thread::get_id(); }

  // In order. Dropped, and destroyed at once, when the loop has stopped.
  void post(std::move_only_function<void()> task) override;

  // Runs what was posted before, and ends the thread. Not from the loop's thread.
  void stop();

 private:
  void run();
  void run_tasks();

  std::unique_ptr<boost::asio::io_context> context_;
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> tasks_;
  bool stopped_ = false;
  std::atomic<std::thread::id> own_thread_;  // told by itself: others ask while it is started and joined
  std::thread thread_;
};

}  // namespace parley::gateway
