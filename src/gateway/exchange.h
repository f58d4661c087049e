// Exchange: one request of a connection, as whoever answers it sees it. Private to gateway. Owned by: its
// connection; answering code holds it weakly while it waits. The gateway's thread alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/http.h"
#include "node/chat_node.h"
#include "service/outbox.h"

namespace parley::gateway {

// Bytes for the wire, which streams with the same event share.
using SharedBytes = std::shared_ptr<const std::string>;

struct StreamStart {
  Response head;
  std::shared_ptr<service::Outbox> outbox;         // whose wake-up leads to wake()
  std::function<SharedBytes(std::string)> encode;  // a response to a chunk
  std::function<SharedBytes(const base::Error&)> encode_end;
  std::optional<node::Deadline> deadline;  // the client's
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  // Each request is answered once, by one of these two.
  virtual void respond(Response response) = 0;
  virtual void begin_stream(StreamStart start) = 0;

  // Of a begun stream: what it lives on; let go when the client has gone or the stream has ended.
  virtual void keep(std::unique_ptr<service::StreamHandle> handle) = 0;
  virtual void wake() = 0;
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual void handle(const std::shared_ptr<Exchange>& exchange, Request request) = 0;
};

}  // namespace parley::gateway
