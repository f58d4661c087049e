// Gateway: the public API and the page over HTTP/1.1, on one thread of its own (docs/gateway.md). Owned by:
// the program; destroyed before the service. One thread calls listen, serve and stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "base/address.h"
#include "base/limits.h"
#include "node/chat_node.h"
#include "service/service.h"

namespace parley::gateway {

struct GatewayLimits {
  std::size_t max_header_bytes = 16UL * 1024;
  std::size_t max_body_bytes = base::kMaxRequestBytes + 5;  // and a stream's envelope
  // Of all requests that are coming in, as far as they are there; small ones may fill twice that.
  std::size_t max_coming_body_bytes = 256UL * 1024 * 1024;
  std::size_t small_body_bytes = 64UL * 1024;
  std::chrono::milliseconds header_timeout{10'000};  // from its first byte to its last
  std::chrono::milliseconds body_timeout{30'000};    // the same
  std::chrono::milliseconds idle_timeout{75'000};    // between two requests
  std::chrono::milliseconds write_timeout{30'000};   // without any progress
  std::chrono::milliseconds answer_timeout{60'000};  // for all of an answer, or the rest of an ended stream
  std::chrono::milliseconds cut_off_grace{5'000};    // for a slow reader to hear why its stream has ended
  std::chrono::milliseconds linger{2'000};           // for a client to read the last answer
  std::size_t max_connections = 20'000;              // and fewer where too few files may be open
  std::size_t max_refused_connections = 64;          // beyond those; they are told so before they are closed
  std::size_t max_queued_events = 1'024;             // of one stream; beyond: cut off with RESOURCE_EXHAUSTED
  std::size_t max_queued_size_bytes = 4UL * 1024 * 1024;
};

class Metrics;

struct GatewayOptions {
  base::Address listen;     // port 0: choose one
  base::Address advertise;  // as browsers reach it; empty host: as `listen`
  GatewayLimits limits;
};

class Gateway {
 public:
  // Takes the address, and nothing else: what comes waits for serve(). The error says why it cannot listen.
  [[nodiscard]] static std::expected<std::unique_ptr<Gateway>, std::string> listen(GatewayOptions options);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  // Once. All must outlive stop().
  void serve(service::Service& service, const node::ChatNode& node, Metrics& metrics);

  // Takes no new connections and no further requests; what is being answered gets `grace`. No call to the
  // service is running or will come once it has returned.
  void stop(std::chrono::milliseconds grace);

  struct State;

 private:
  explicit Gateway(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::gateway
