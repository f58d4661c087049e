#include "rpc/completion_loop.h"

#include <future>
#include <utility>

#include "node/thread_name.h"

namespace parley::rpc {

CompletionLoop::CompletionLoop(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {}

CompletionLoop::~CompletionLoop() { stop(); }

void CompletionLoop::start() {
  thread_ = std::thread([this] {
    node::name_this_thread("grpc");
    serve();
  });
}

void CompletionLoop::post(std::move_only_function<void()> task) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) {
    return;  // `task` is destroyed by the caller, without the lock
  }
  tasks_.push_back(std::move(task));
  if (!wake_is_set_) {
    wake_is_set_ = true;
    // A time in the past fires at once. "Now" would be rounded up to the next millisecond, on every hop.
    alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &wake_);
  }
}

void CompletionLoop::post_after(std::chrono::milliseconds delay, std::move_only_function<void()> task) {
  timer_.run_after(delay, [this, task = std::move(task)]() mutable { post(std::move(task)); });
}

void CompletionLoop::run(std::move_only_function<void()> task) {
  std::promise<void> done;
  const auto future = done.get_future();
  post([task = std::move(task), done = std::move(done)]() mutable {
    task();
    done.set_value();
  });
  future.wait();
}

void CompletionLoop::run_tasks(bool) {
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    wake_is_set_ = false;
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) {
    task();
  }
}

void CompletionLoop::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) {
      return;
    }
  }
  timer_.stop();
  // An operation begun on a queue that is shut down aborts the process. So the loop's thread, which begins
  // all of them, gives its word first.
  if (thread_.joinable()) {
    run([this] { accepts_operations_ = false; });
  }
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    serve();
  }
  // Tasks that came before and were not run: what they hold is given up.
  std::vector<std::move_only_function<void()>> tasks;
  tasks.swap(tasks_);
}

void CompletionLoop::serve() {
  own_thread_ = std::this_thread::get_id();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    static_cast<Completion*>(tag)->complete(ok);
  }
}

}  // namespace parley::rpc
