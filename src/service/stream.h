// Stream: one server stream from its request to its end. Private to service. Owned by: the StreamHandle, and
// whatever feeds it. Any thread; sends and the finish are brought into one order here.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "node/chat_node.h"
#include "service/state.h"

namespace parley::service {

class Stream {
 public:
  Stream(std::shared_ptr<Service::State> state, std::shared_ptr<ReplyStream> out, CallContext context);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] Service::State& service() const { return *state_; }
  [[nodiscard]] const std::string& authorization() const { return context_.authorization; }
  [[nodiscard]] node::Deadline deadline() const;  // of what happens before the first response

  // False: the stream is over; nothing is sent any more. One that does not take a message is finished with
  // RESOURCE_EXHAUSTED.
  [[nodiscard]] bool send(std::string message);
  void finish(const base::Error& why);

  // What the stream lives on, until it is closed: a subscription that comes too late is given up at once.
  void keep(std::unique_ptr<node::Subscription> subscription);

  // The client has gone: nothing is sent any more, and the subscription ends. Not from inside send().
  void close();

 private:
  std::shared_ptr<Service::State> state_;
  CallContext context_;
  std::mutex mutex_;                  // held during calls to out_, never while a subscription is destroyed
  std::shared_ptr<ReplyStream> out_;  // none: finished
  std::unique_ptr<node::Subscription> subscription_;
  bool closed_ = false;
};

}  // namespace parley::service
