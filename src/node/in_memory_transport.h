// InMemoryNetwork and InMemoryTransport: nodes of one process talk as over a network that a test can cut.
// Frames go through the real codec. Owned by: the test, and it outlives the nodes. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "node/transport.h"

namespace parley::node {

class InMemoryEndpoint;

class InMemoryNetwork {
 public:
  // What `from` sends does not reach `to` any more, silently, as over a cut cable; the connections stay open.
  void cut_one_way(base::NodeId from, base::NodeId to);
  void cut(base::NodeId one, base::NodeId other);
  // Every link between this node and all others.
  void isolate(base::NodeId node);
  void heal();

 private:
  friend class InMemoryTransport;
  using EndpointPtr = std::shared_ptr<InMemoryEndpoint>;

  void listen(const std::string& address, EndpointPtr endpoint);
  // Its connections break, and the others notice.
  void close(const EndpointPtr& endpoint);
  [[nodiscard]] EndpointPtr find(const std::string& address) const;
  [[nodiscard]] bool is_cut(base::NodeId from, base::NodeId to) const;

  mutable std::mutex mutex_;
  std::map<std::string, EndpointPtr> endpoints_;
  std::set<std::pair<base::NodeId, base::NodeId>> cut_;
  std::set<base::NodeId> isolated_;
};

class InMemoryTransport final : public Transport {
 public:
  // `address`: where others dial this node.
  InMemoryTransport(InMemoryNetwork& network, std::string address);
  ~InMemoryTransport() override;
  InMemoryTransport(const InMemoryTransport&) = delete;
  InMemoryTransport& operator=(const InMemoryTransport&) = delete;

  void start(Hello hello, PeerHandler& handler) override;
  void stop() override;
  void set_hello(Hello hello) override;
  void set_peers(std::vector<PeerAddresses> peers) override;
  [[nodiscard]] bool send(base::NodeId to, PeerMessage message) override;
  void flush() override {}

 private:
  using EndpointPtr = std::shared_ptr<InMemoryEndpoint>;
  struct Link {
    EndpointPtr to;
    raft::Member peer;
  };
  struct Dial {
    std::chrono::steady_clock::time_point next_at;
    std::size_t next_address = 0;
  };

  void run();
  void notice_closed();
  void dial(std::chrono::steady_clock::time_point now);
  void break_links(const EndpointPtr& with, LinkLoss why);
  void take(struct InMemoryPacket& packet);
  [[nodiscard]] bool deliver(const EndpointPtr& to, struct InMemoryPacket packet) const;

  InMemoryNetwork& network_;
  const std::string address_;
  EndpointPtr self_;
  PeerHandler* handler_ = nullptr;

  std::mutex mutex_;  // guards what follows
  Hello hello_;
  std::vector<PeerAddresses> peers_;
  std::map<base::NodeId, Link> links_;

  // The transport's thread alone.
  std::map<base::NodeId, Dial> dials_;
  std::map<EndpointPtr, raft::Member> admitted_;
  std::jthread thread_;
};

}  // namespace parley::node
