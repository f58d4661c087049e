// One gRPC call each, unary or server stream, from its acceptance to its end. They delete themselves when
// gRPC owes them nothing more. Private to rpc. Owned by: themselves. The thread of their loop.
#pragma once

#include <memory>
#include <string_view>

#include "rpc/completion_loop.h"
#include "rpc/raw_service.h"
#include "rpc/server.h"
#include "service/service.h"

namespace parley::rpc {

// Who answers calls. Any thread calls it; no call blocks.
class CallTarget {
 public:
  virtual ~CallTarget() = default;
  virtual void call(service::MethodId method, std::string_view request, service::CallContext context,
                    service::ReplyCallback done) = 0;
  [[nodiscard]] virtual std::unique_ptr<service::StreamHandle> open(
      service::MethodId method, std::string_view request, service::CallContext context,
      std::shared_ptr<service::ReplyStream> stream) = 0;
};

// What calls need of their server. Outlives them.
struct CallHome {
  CallTarget& target;
  std::shared_ptr<CompletionLoop> loop;
  grpc::ServerCompletionQueue* queue = nullptr;  // the loop's
  const ServerOptions& options;
};

struct AcceptedMethod {
  RawService* raw = nullptr;
  int index = 0;  // in `raw`
  service::MethodId id;
};

// Waits for the next call of this method, for ever: each accepted call makes the next one wait.
void accept_unary(const CallHome& home, AcceptedMethod method);
void accept_stream(const CallHome& home, AcceptedMethod method);

}  // namespace parley::rpc
