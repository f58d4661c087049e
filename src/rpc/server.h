// Server: the public API over gRPC, with health and reflection. Handlers decode and hand over; they never
// block. Owned by: the program; destroyed before the service. One thread calls listen, serve and stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include "base/address.h"
#include "service/service.h"

namespace parley::rpc {

class CompletionLoop;

struct ServerOptions {
  base::Address listen;                   // port 0: choose one
  std::size_t threads = 1;                // completion queues, each with its thread
  std::size_t max_queued_events = 1'024;  // of one server stream; beyond: cut off with RESOURCE_EXHAUSTED
  std::size_t max_queued_size_bytes = 4UL * 1024 * 1024;
  // For a slow reader to hear why, before its call is cancelled.
  std::chrono::milliseconds cut_off_grace{5'000};
  // For a client to take its answer, or the rest of a stream that has ended, before its call is cancelled.
  std::chrono::milliseconds answer_timeout{60'000};
  // Streams that need no token; beyond: RESOURCE_EXHAUSTED.
  std::size_t max_health_watches = 1'000;
  std::size_t max_reflections = 100;
};

class Server {
 public:
  // Takes the address, and nothing else: what comes waits for serve(), health says that nothing is served.
  // The error says why it cannot listen.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> listen(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  // The thread that serves calls, for other things of gRPC to share: gRPC lets whichever thread polls read
  // from all sockets, so that two threads are woken for each other's. It ends with the server, which must
  // come last.
  [[nodiscard]] std::shared_ptr<CompletionLoop> loop() const;

  // Once. `service` must outlive stop().
  void serve(service::Service& service);

  // Takes no new calls; those under way get `grace` to finish. No call to the service is running or will come
  // once it has returned.
  void stop(std::chrono::milliseconds grace);
  // After stop(), and when nothing else uses loop() any more: what calls that outlived their grace have
  // posted has run, or never will. Only then may the service go, and what it stands on.
  void end();

  struct State;

 private:
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::rpc
