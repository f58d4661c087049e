// PeerCalls: the calls that nodes whose state cannot be used bring to this one (rule 16), as calls of this
// service like any other, except that they go no further. Private to service. Owned by: Service; the node
// looks for it as long as it is there. Any thread.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "node/chat_node.h"
#include "service/service.h"

namespace parley::service {

class PeerCalls : public node::ApiHandler {
 public:
  explicit PeerCalls(std::shared_ptr<Service::State> state) : state_(std::move(state)) {}
  void on_call(node::ApiCall call, node::Deadline deadline, node::ApiCallback done) override;

 private:
  std::shared_ptr<Service::State> state_;
};

// service.cc: what Service::call does.
void begin_call(const std::shared_ptr<Service::State>& state, MethodId method, std::string_view request,
                CallContext context, ReplyCallback done);

}  // namespace parley::service
