// MajorityProbe (private): while the node that serves a watch takes no writes, or is far behind, asks the
// other servers in turn whether they do. A stream alone would stay there for ever: a node that is cut off
// from the majority goes on with heartbeats. Owned by: a stream of a Watch, whose queue it uses. The watch's
// thread alone.
#pragma once

#include <grpcpp/completion_queue.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "client/client_impl.h"
#include "parley/v1/api.pb.h"

namespace parley::client {

class MajorityProbe {
 public:
  using Time = std::chrono::steady_clock::time_point;

  MajorityProbe(Client::Impl& client, std::size_t here, grpc::CompletionQueue& queue);
  ~MajorityProbe();  // nothing of it may be in the queue any more
  MajorityProbe(const MajorityProbe&) = delete;
  MajorityProbe& operator=(const MajorityProbe&) = delete;

  // What the node itself says.
  void on_heartbeat(const v1::Heartbeat& heartbeat, Time now);
  // When to ask(). Time::max(): there is no need to.
  [[nodiscard]] Time due() const { return due_; }
  // Asks the next server. The answer comes out of the queue, with this object as its tag.
  void ask();
  // It has come. The server that takes writes, if it does.
  [[nodiscard]] std::optional<std::size_t> on_answer(Time now);
  void cancel();

 private:
  struct Call;

  Client::Impl& client_;
  const std::size_t here_;
  const std::size_t count_;
  grpc::CompletionQueue& queue_;
  bool is_needed_ = false;
  std::string cluster_id_;
  Time due_ = Time::max();
  std::size_t
      turn_;  // from a random one on: the watches of a node that is cut off must not all go to the same
  std::size_t asked_ = 0;  // since it was needed
  std::unique_ptr<Call> call_;
};

}  // namespace parley::client
