// PeerTransport: node::Transport over gRPC. Each node dials every peer and sends on that stream; see
// proto/parley/internal/v1/peer_service.proto. Owned by: the program; outlives the node. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "node/transport.h"

namespace parley::rpc {

class CompletionLoop;

struct PeerTransportOptions {
  base::Address listen;  // port 0: choose one
  // Of one link; beyond, send() refuses: a frozen peer must not cost memory.
  std::size_t max_queued_messages = 65'536;
  std::size_t max_queued_size_bytes = 32UL * 1024 * 1024;
  // A peer that lets a connection's first answer wait for longer is tried again.
  std::chrono::milliseconds handshake_timeout{2'000};
  std::chrono::milliseconds min_backoff{20};
  std::chrono::milliseconds max_backoff{250};
  // A connection that has lived for so long is dialled again at once when it ends. If the new one ends
  // sooner, the peer is lost, and pauses grow: one that answers and closes, again and again, is no better
  // than none.
  std::chrono::milliseconds settled_after{1'000};
  // A peer that says nothing at all for the sum of both has its connection closed.
  std::chrono::milliseconds keepalive_interval{2'000};
  std::chrono::milliseconds keepalive_timeout{3'000};
};

class PeerTransport : public node::Transport {
 public:
  // The error says why it cannot listen. Nothing is dialled or answered before start().
  // `loop`: whose thread carries all of it, until stop(); none: one of its own.
  [[nodiscard]] static std::expected<std::unique_ptr<PeerTransport>, std::string> listen(
      PeerTransportOptions options, std::shared_ptr<CompletionLoop> loop = nullptr);
  ~PeerTransport() override;
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  void start(node::Hello hello, node::PeerHandler& handler) override;
  void stop() override;
  void set_hello(node::Hello hello) override;
  void set_peers(std::vector<node::PeerAddresses> peers) override;
  [[nodiscard]] bool send(base::NodeId to, node::PeerMessage message) override;
  void flush() override;

  struct State;

 private:
  explicit PeerTransport(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::rpc
