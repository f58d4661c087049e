#include "gateway/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "node/thread_name.h"

namespace parley::gateway {

// One thread runs it: Asio then needs fewer locks.
Loop::Loop() : context_(std::make_unique<boost::asio::io_context>(1)) {}

Loop::~Loop() { stop(); }

void Loop::start() {
  thread_ = std::thread([this] { run(); });
}

void Loop::post(std::move_only_function<void()> task) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) {
    return;  // `task` is destroyed by the caller, without the lock
  }
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) {
    boost::asio::post(*context_, [this] { run_tasks(); });
  }
}

void Loop::run_tasks() {
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) {
    task();
  }
}

void Loop::stop() {
  if (thread_.joinable()) {
    post([this] { context_->stop(); });
    thread_.join();
  }
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    tasks.swap(tasks_);
  }
}

void Loop::run() {
  own_thread_ = std::this_thread::get_id();
  node::name_this_thread("gateway");
  const auto work = boost::asio::make_work_guard(*context_);
  context_->run();
}

}  // namespace parley::gateway
