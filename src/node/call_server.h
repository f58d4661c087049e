// CallServer: has the service answer the calls that other nodes bring to this one, on a thread of its own:
// the core does none of that work. Bounded in calls and bytes until they are answered. Owned by: the
// replica; outlives the service. serve: the core thread; set_handler: any thread; answers come on the
// service's threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/bounded_queue.h"
#include "node/chat_node.h"
#include "node/peer_message.h"
#include "node/pending.h"

namespace parley::node {

class CallServer {
 public:
  using Reply = std::function<void(const raft::Member& origin, CallReply reply)>;

  // `reply`: any thread.
  CallServer(std::size_t max_calls, std::size_t max_size_bytes, Reply reply);
  ~CallServer() { stop(); }
  CallServer(const CallServer&) = delete;
  CallServer& operator=(const CallServer&) = delete;

  void set_handler(std::weak_ptr<ApiHandler> handler);
  // False, and the call untouched: too many are under way.
  [[nodiscard]] bool serve(const raft::Member& origin, ForwardCall& forward);
  // Ends the thread; what has not begun by then is begun, and fails at once: the node is ending.
  void stop();

 private:
  struct Job {
    raft::Member origin;
    ForwardCall forward;
    Deadline deadline;
    Place place;
    Place bytes;
  };
  void run();
  void begin(Job job);

  const Reply reply_;
  const std::shared_ptr<Places> places_;
  const std::shared_ptr<Places> bytes_;
  base::BoundedQueue<Job> queue_;
  std::mutex mutex_;
  std::weak_ptr<ApiHandler> handler_;  // guarded by mutex_
  std::jthread thread_;
};

// What the origin is told. An error that is only this node's own trouble is none of the call's: another
// leader may answer it.
[[nodiscard]] CallReply make_reply(std::uint64_t forward_id, base::Result<std::string> result);

}  // namespace parley::node
