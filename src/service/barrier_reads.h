// BarrierReads: linearizable reads that are made before something is refused, one in flight per node however
// many ask (design.md, Sessions). Those that come while one is in flight share the next, which begins after
// they came. Private to service. Owned by: Service::State, shared with the read in flight. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "node/chat_node.h"

namespace parley::service {

class BarrierReads : public std::enable_shared_from_this<BarrierReads> {
 public:
  explicit BarrierReads(node::ChatNode& node) : node_(node) {}

  // As ChatNode::read, linearizable. RESOURCE_EXHAUSTED if too many wait already.
  void read(node::Deadline deadline, node::ReadCallback done);

 private:
  struct Waiting {
    node::Deadline deadline;
    node::ReadCallback done;
  };
  void begin(std::vector<Waiting> batch);
  void finish(std::vector<Waiting> batch, base::Result<chat::Reader*> reader, const node::AsOf& as_of);

  node::ChatNode& node_;
  std::mutex mutex_;
  std::vector<Waiting> waiting_;
  bool in_flight_ = false;
};

}  // namespace parley::service
