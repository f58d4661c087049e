// One gRPC call each, unary or server stream, from its acceptance to its end. They delete themselves when
// gRPC owes them nothing more. Private to rpc. Owned by: themselves. The thread of their loop.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "rpc/completion_loop.h"
#include "rpc/raw_service.h"
#include "rpc/server.h"
#include "rpc/write_deadlines.h"
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
  WriteDeadlines& deadlines;                     // the loop's
  const ServerOptions& options;
};

struct AcceptedMethod {
  RawService* raw = nullptr;
  int index = 0;  // in `raw`
  service::MethodId id;
};

// The error as gRPC carries it, with its ErrorInfo in the details.
[[nodiscard]] grpc::Status to_status(const base::Error& error);

// Of one more of the streams that need no token.
[[nodiscard]] base::Error too_many_streams(std::string_view which);

// Of a message that is larger than any request may be: it is not even put into one piece. Nothing: it fits.
[[nodiscard]] std::optional<base::Error> refusal_by_size(const grpc::ByteBuffer& message);

// Waits for the next call of this method, for ever: each accepted call makes the next one wait.
void accept_unary(const CallHome& home, AcceptedMethod method);
void accept_stream(const CallHome& home, AcceptedMethod method);

}  // namespace parley::rpc
