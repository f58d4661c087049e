// CompletionLoop: a gRPC completion queue and the one thread that serves it. Also runs posted tasks there, so
// that no other thread pays for gRPC's sends: many answers that come together cost one wake-up. Private to
// rpc. Owned by: a server or a transport, shared with what is under way. Any thread posts.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "rpc/steady_timer.h"
#include "service/service.h"

namespace parley::rpc {

// What a completion queue gives back. The pointer is gRPC's "tag".
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void complete(bool ok) = 0;
};

// A completion that calls a member of its owner.
template <class Owner>
class MemberCompletion : public Completion {
 public:
  MemberCompletion(Owner& owner, void (Owner::*member)(bool)) : owner_(owner), member_(member) {}
  void complete(bool ok) override { (owner_.*member_)(ok); }

 private:
  Owner& owner_;
  void (Owner::*member_)(bool);
};

class CompletionLoop : public service::Executor {
 public:
  // `queue` must not have been shut down.
  explicit CompletionLoop(std::unique_ptr<grpc::CompletionQueue> queue);
  ~CompletionLoop() override;
  CompletionLoop(const CompletionLoop&) = delete;
  CompletionLoop& operator=(const CompletionLoop&) = delete;

  [[nodiscard]] grpc::CompletionQueue* queue() const { return queue_.get(); }
  void start();
  [[nodiscard]] bool on_own_thread() const { return own_thread_ == std::this_thread::get_id(); }

  // Dropped, and destroyed at once, when the loop has stopped. In order.
  void post(std::move_only_function<void()> task) override;
  // As post(), after a while: by the monotonic clock, whatever becomes of the wall clock.
  void post_after(std::chrono::milliseconds delay, std::move_only_function<void()> task);

  // Runs it on the loop's thread and waits for that; not at all if the loop has stopped. Not from the loop's
  // thread.
  void run(std::move_only_function<void()> task);

  // On the loop's thread (or before start): whether operations may be begun on the queue. A false answer
  // stays.
  [[nodiscard]] bool accepts_operations() const { return accepts_operations_; }

  // Nothing more is posted; waits for every operation that gRPC still owes, and for the thread. Not from the
  // loop's thread.
  void stop();

 private:
  void serve();
  void run_tasks(bool ok);

  std::unique_ptr<grpc::CompletionQueue> queue_;
  grpc::Alarm alarm_;
  MemberCompletion<CompletionLoop> wake_{*this, &CompletionLoop::run_tasks};
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> tasks_;
  bool wake_is_set_ = false;
  bool stopped_ = false;
  bool accepts_operations_ = true;           // the loop's thread alone
  std::atomic<std::thread::id> own_thread_;  // told by itself: others ask while it is started and joined
  std::thread thread_;
  SteadyTimer timer_;
};

}  // namespace parley::rpc
