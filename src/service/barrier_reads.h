// BarrierReads: linearizable reads that are made before something is refused, one in flight per node however
// many ask (design.md, Sessions). Those that come while one is in flight share the next, which begins after
// they came. Private to service. Owned by: Service::State, shared with the read in flight. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "node/chat_node.h"

namespace parley::service {

class BarrierReads : public std::enable_shared_from_this<BarrierReads> {
 public:
  using Clock = std::function<node::Deadline()>;

  explicit BarrierReads(node::ChatNode& node, Clock clock = std::chrono::steady_clock::now)
      : node_(node), clock_(std::move(clock)) {}

  // As ChatNode::read, linearizable. RESOURCE_EXHAUSTED if too many wait already. Whose deadline passes is
  // told so when the read ends that it waits for, a second late at most.
  void read(node::Deadline deadline, node::ReadCallback done);

 private:
  struct Waiting {
    node::Deadline deadline;
    node::ReadCallback done;
  };
  void begin(std::vector<Waiting> batch);
  void finish(std::vector<Waiting> batch, base::Result<chat::Reader*> reader, const node::AsOf& as_of);
  void go_on(std::vector<Waiting> again, node::Deadline now);

  node::ChatNode& node_;
  const Clock clock_;
  std::mutex mutex_;
  std::vector<Waiting> waiting_;
  bool in_flight_ = false;
};

}  // namespace parley::service
