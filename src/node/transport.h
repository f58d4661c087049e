// Transport: carries PeerMessages between nodes. Implemented by rpc (gRPC streams) and by InMemoryTransport
// (tests, simulation). Owned by: the program (or the test); outlives the node that uses it.
//
// Connections and links. A node dials every peer of set_peers() and keeps one connection to it: its *link*,
// on which it sends. Answers come on the peer's own link. The first message in each direction of a connection
// is a Hello, so both ends know the other's (id, incarnation, cluster) before anything else, and everything
// that follows on that connection comes from that life of that node. Messages on a link arrive in the order
// in which they were sent, each at most once; any of them may be lost.
//
// Whose address is whose: an address that answers with another id, or whose Hello the handler refuses, is not
// used for this peer, and the next of its addresses is tried; a reconnect begins with the address that worked
// last.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/ids.h"
#include "node/peer_message.h"
#include "raft/types.h"

namespace parley::node {

struct PeerAddresses {
  base::NodeId id;
  std::vector<std::string> addresses;  // HOST:PORT, tried in this order
  bool operator==(const PeerAddresses&) const = default;
};

enum class LinkLoss : std::uint8_t {
  closed,    // the connection ended; one reconnect at once has been tried and failed, met another process, or
             // was closed again soon (rule 10)
  silent,    // keepalive ran out
  replaced,  // this end closed it: peers changed, or shutdown
};

// The node's side. Called on the transport's threads, for one peer from one thread at a time; must not block.
class PeerHandler {
 public:
  virtual ~PeerHandler() = default;
  // The other end of a new connection, dialled or accepted, says who it is; called again when it sends a
  // later Hello. An error refuses it: the transport closes the connection, tells the other end the reason,
  // and logs it once.
  [[nodiscard]] virtual std::expected<void, std::string> on_hello(const Hello& hello) = 0;
  // The node dialled as `peer` refused this node's Hello, and why. May be repeated with each attempt.
  virtual void on_refused(base::NodeId peer, const std::string& reason) = 0;
  // What came together, in order; never a Hello. `from` said who it is in the Hello of this connection.
  virtual void on_messages(const raft::Member& from, std::vector<PeerMessage> messages) = 0;
  // This node's link to `peer` can be used: what is sent from now on goes there.
  virtual void on_link_up(const raft::Member& peer) = 0;
  // What was sent to `peer` since on_link_up may not have arrived, and nothing of it will arrive any more
  // (but it may have arrived). Not called while a reconnect that is tried at once finds the same process of
  // the same node (Hello::process), and lasts.
  virtual void on_link_down(const raft::Member& peer, LinkLoss why) = 0;
};

// All calls: any thread; none blocks.
class Transport {
 public:
  virtual ~Transport() = default;
  // From here on the handler is called. `hello` is what this node says of itself.
  virtual void start(Hello hello, PeerHandler& handler) = 0;
  // No handler call is running or will come once it has returned. Waits for those; not to be called from one.
  virtual void stop() = 0;
  // Replaces what this node says of itself: to new connections, and, as one more message, on those that are
  // open.
  virtual void set_hello(Hello hello) = 0;
  // Who is to be dialled, and where. A link that works stays, whatever its addresses are now, as long as its
  // peer is named; those that are no longer named are disconnected. This node itself is ignored.
  virtual void set_peers(std::vector<PeerAddresses> peers) = 0;
  // False: not sent and never will be (no link to this peer, or its queue is full: bounded in messages and
  // bytes). True: queued in order; lost if the link goes down. It may leave at once, and does with flush().
  [[nodiscard]] virtual bool send(base::NodeId to, PeerMessage message) = 0;
  // What was sent together leaves together.
  virtual void flush() = 0;
};

}  // namespace parley::node
