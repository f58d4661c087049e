// PeerLink: this node's one connection to a peer, on which it sends: dialling, backing off, the queue of what
// is to be sent. Private to rpc. Owned by: PeerTransport. The loop's thread, but PeerQueue: any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/peer_message.h"
#include "rpc/peer_context.h"

namespace parley::rpc {

// What waits to be sent to one peer. Bounded in messages and bytes.
class PeerQueue {
 public:
  explicit PeerQueue(const PeerTransportOptions& options)
      : max_messages_(options.max_queued_messages), max_size_bytes_(options.max_queued_size_bytes) {}

  // False: not taken.
  [[nodiscard]] bool push(node::PeerMessage message);
  // Something waits, and the loop must be told: once, until it finds nothing.
  [[nodiscard]] bool wants_wake();
  // Messages for one frame, oldest first. Empty: nothing waits, and wants_wake() tells of the next.
  [[nodiscard]] std::vector<node::PeerMessage> take_frame();
  // A link that is down takes nothing; what waits is dropped.
  void set_up(bool is_up);

 private:
  const std::size_t max_messages_;
  const std::size_t max_size_bytes_;
  std::mutex mutex_;
  std::deque<std::pair<node::PeerMessage, std::size_t>> messages_;  // with their estimated sizes
  std::size_t size_bytes_ = 0;
  std::size_t bulk_bytes_ = 0;
  bool is_up_ = false;
  bool is_awake_ = false;
};

class Dial;

class PeerLink : public std::enable_shared_from_this<PeerLink> {
 public:
  PeerLink(PeerContext& context, node::PeerAddresses peer);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  [[nodiscard]] const std::shared_ptr<PeerQueue>& queue() const { return queue_; }
  [[nodiscard]] base::NodeId id() const { return id_; }

  void begin();
  void set_addresses(std::vector<std::string> addresses);
  void send_hello();
  // The queue has something.
  void pump();
  // Closes it for good.
  void close();

 private:
  friend class Dial;

  void dial();
  // The dialled node's Hello. False: it is not whom this link is for, or was refused.
  bool on_answer(const node::Hello& hello);
  // The attempt is over. `was_answered`: it had been a connection.
  void on_dial_ended(bool was_answered, bool was_silent, const std::string& refusal);
  void go_down(node::LinkLoss why);
  void back_off();
  void on_backoff_over();

  PeerContext& context_;
  const base::NodeId id_;
  std::vector<std::string> addresses_;
  std::size_t address_ = 0;  // tried next
  std::shared_ptr<PeerQueue> queue_;
  std::shared_ptr<Dial> dial_;
  // Whom on_link_up named, and as which of its processes.
  struct Up {
    raft::Member peer;
    std::uint64_t process = 0;  // as its Hello says
    bool operator==(const Up&) const = default;
  };
  std::optional<Up> up_;
  std::optional<std::chrono::steady_clock::time_point> answered_at_;  // by the present dial
  bool is_reconnect_at_once_ = false;  // the one of rule 10 is made; no connection has settled since
  bool is_closed_ = false;
  bool waits_for_backoff_ = false;
  std::chrono::milliseconds backoff_;
};

}  // namespace parley::rpc
