#include "node/in_memory_transport.h"

#include <algorithm>

#include "base/ensure.h"
#include "node/peer_codec.h"
#include "node/steady_time.h"
#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::chrono::milliseconds kRedial{50};
constexpr std::size_t kMaxQueuedPackets = 16'384;

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

enum class PacketKind : std::uint8_t { dial, accept, refuse, hello, frame, closed };

}  // namespace

struct InMemoryPacket {
  PacketKind kind = PacketKind::frame;
  std::shared_ptr<InMemoryEndpoint> from;
  Hello hello;        // dial, accept, hello
  std::string bytes;  // frame; refuse: the reason
};

// Where packets for one life of a node arrive.
class InMemoryEndpoint {
 public:
  explicit InMemoryEndpoint(base::NodeId id) : id_(id) {}
  [[nodiscard]] base::NodeId id() const { return id_; }

  [[nodiscard]] bool push(InMemoryPacket packet) {
    {
      const std::scoped_lock lock(mutex_);
      if (is_closed_ || packets_.size() >= kMaxQueuedPackets) {
        return false;
      }
      packets_.push_back(std::move(packet));
    }
    wake_.notify_one();
    return true;
  }
  [[nodiscard]] std::deque<InMemoryPacket> pop_until(SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, deadline, [this] { return is_closed_ || !packets_.empty(); });
    return std::exchange(packets_, {});
  }
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      is_closed_ = true;
    }
    wake_.notify_all();
  }
  [[nodiscard]] bool is_closed() const {
    const std::scoped_lock lock(mutex_);
    return is_closed_;
  }

 private:
  const base::NodeId id_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<InMemoryPacket> packets_;
  bool is_closed_ = false;
};

// ---- network ----

void InMemoryNetwork::cut_one_way(base::NodeId from, base::NodeId to) {
  const std::scoped_lock lock(mutex_);
  cut_.emplace(from, to);
}

void InMemoryNetwork::cut(base::NodeId one, base::NodeId other) {
  cut_one_way(one, other);
  cut_one_way(other, one);
}

void InMemoryNetwork::isolate(base::NodeId node) {
  const std::scoped_lock lock(mutex_);
  isolated_.insert(node);
}

void InMemoryNetwork::heal() {
  const std::scoped_lock lock(mutex_);
  cut_.clear();
  isolated_.clear();
}

void InMemoryNetwork::listen(const std::string& address, EndpointPtr endpoint) {
  const std::scoped_lock lock(mutex_);
  base::ensure(!endpoints_.contains(address), "one node listens at an address");
  endpoints_[address] = std::move(endpoint);
}

void InMemoryNetwork::close(const EndpointPtr& endpoint) {
  endpoint->close();
  const std::scoped_lock lock(mutex_);
  std::erase_if(endpoints_, [&](const auto& item) { return item.second == endpoint; });
  for (const auto& [address, other] : endpoints_) {
    // A node behind a cut does not see the connection close.
    if (cut_.contains({endpoint->id(), other->id()}) || isolated_.contains(endpoint->id()) ||
        isolated_.contains(other->id())) {
      continue;
    }
    static_cast<void>(other->push({.kind = PacketKind::closed, .from = endpoint, .hello = {}, .bytes = {}}));
  }
}

InMemoryNetwork::EndpointPtr InMemoryNetwork::find(const std::string& address) const {
  const std::scoped_lock lock(mutex_);
  const auto found = endpoints_.find(address);
  return found == endpoints_.end() ? nullptr : found->second;
}

bool InMemoryNetwork::is_cut(base::NodeId from, base::NodeId to) const {
  const std::scoped_lock lock(mutex_);
  return cut_.contains({from, to}) || isolated_.contains(from) || isolated_.contains(to);
}

// ---- transport ----

InMemoryTransport::InMemoryTransport(InMemoryNetwork& network, std::string address)
    : network_(network), address_(std::move(address)) {}

InMemoryTransport::~InMemoryTransport() { stop(); }

void InMemoryTransport::start(Hello hello, PeerHandler& handler) {
  self_ = std::make_shared<InMemoryEndpoint>(hello.self.id);
  handler_ = &handler;
  {
    const std::scoped_lock lock(mutex_);
    hello_ = std::move(hello);
  }
  network_.listen(address_, self_);
  thread_ = std::jthread([this] { run(); });
}

void InMemoryTransport::stop() {
  if (!thread_.joinable()) {
    return;
  }
  network_.close(self_);
  thread_.join();
  const std::scoped_lock lock(mutex_);
  links_.clear();
}

bool InMemoryTransport::deliver(const EndpointPtr& to, InMemoryPacket packet) const {
  // What is cut off vanishes; the sender learns nothing.
  if (network_.is_cut(self_->id(), to->id())) {
    return true;
  }
  packet.from = self_;
  return to->push(std::move(packet));
}

void InMemoryTransport::set_hello(Hello hello) {
  const std::scoped_lock lock(mutex_);
  hello_ = std::move(hello);
  for (const auto& [id, link] : links_) {
    static_cast<void>(
        deliver(link.to, {.kind = PacketKind::hello, .from = {}, .hello = hello_, .bytes = {}}));
  }
}

void InMemoryTransport::set_peers(std::vector<PeerAddresses> peers) {
  const std::scoped_lock lock(mutex_);
  peers_ = std::move(peers);
  std::erase_if(links_, [&](const auto& item) {
    return std::ranges::find(peers_, item.first, &PeerAddresses::id) == peers_.end();
  });
}

bool InMemoryTransport::send(base::NodeId to, PeerMessage message) {
  EndpointPtr endpoint;
  {
    const std::scoped_lock lock(mutex_);
    const auto link = links_.find(to);
    if (link == links_.end()) {
      return false;
    }
    endpoint = link->second.to;
  }
  return deliver(endpoint,
                 {.kind = PacketKind::frame, .from = {}, .hello = {}, .bytes = encode_frame({&message, 1})});
}

void InMemoryTransport::run() {
  name_this_thread("transport");
  while (!self_->is_closed()) {
    auto packets = self_->pop_until(steady_now() + kRedial);
    if (self_->is_closed()) {
      return;
    }
    for (InMemoryPacket& packet : packets) {
      take(packet);
    }
    notice_closed();
    dial(steady_now());
  }
}

// Who sends to a process that is gone learns it as soon as the network lets the answer through.
void InMemoryTransport::notice_closed() {
  std::vector<EndpointPtr> closed;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, link] : links_) {
      if (link.to->is_closed() && !network_.is_cut(self_->id(), id)) {
        closed.push_back(link.to);
      }
    }
  }
  for (const EndpointPtr& endpoint : closed) {
    break_links(endpoint, LinkLoss::closed);
  }
}

void InMemoryTransport::dial(SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  for (const PeerAddresses& peer : peers_) {
    if (links_.contains(peer.id) || peer.addresses.empty()) {
      continue;
    }
    Dial& dial = dials_[peer.id];
    if (now < dial.next_at) {
      continue;
    }
    dial.next_at = now + kRedial;
    const std::string& address = peer.addresses[dial.next_address++ % peer.addresses.size()];
    if (const EndpointPtr endpoint = network_.find(address); endpoint && endpoint != self_) {
      static_cast<void>(
          deliver(endpoint, {.kind = PacketKind::dial, .from = {}, .hello = hello_, .bytes = {}}));
    }
  }
}

void InMemoryTransport::break_links(const EndpointPtr& with, LinkLoss why) {
  std::vector<raft::Member> broken;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(links_, [&](const auto& item) {
      if (item.second.to != with) {
        return false;
      }
      broken.push_back(item.second.peer);
      return true;
    });
  }
  for (const raft::Member& peer : broken) {
    handler_->on_link_down(peer, why);
  }
}

void InMemoryTransport::take(InMemoryPacket& packet) {
  switch (packet.kind) {
    case PacketKind::dial: {
      if (auto admitted = handler_->on_hello(packet.hello); !admitted) {
        static_cast<void>(deliver(
            packet.from, {.kind = PacketKind::refuse, .from = {}, .hello = {}, .bytes = admitted.error()}));
        return;
      }
      admitted_[packet.from] = packet.hello.self;
      const std::scoped_lock lock(mutex_);
      static_cast<void>(
          deliver(packet.from, {.kind = PacketKind::accept, .from = {}, .hello = hello_, .bytes = {}}));
      return;
    }
    case PacketKind::accept: {
      if (!handler_->on_hello(packet.hello)) {
        return;
      }
      {
        const std::scoped_lock lock(mutex_);
        if (std::ranges::find(peers_, packet.hello.self.id, &PeerAddresses::id) == peers_.end()) {
          return;
        }
        links_[packet.hello.self.id] = {packet.from, packet.hello.self};
      }
      handler_->on_link_up(packet.hello.self);
      return;
    }
    case PacketKind::refuse:
      handler_->on_refused(packet.from->id(), packet.bytes);
      return;
    case PacketKind::hello:
      if (!handler_->on_hello(packet.hello)) {
        admitted_.erase(packet.from);
      }
      return;
    case PacketKind::frame: {
      const auto from = admitted_.find(packet.from);
      if (from == admitted_.end()) {
        return;
      }
      auto messages = decode_frame(packet.bytes);
      base::ensure(messages.has_value(), "a frame of our own decodes");
      handler_->on_messages(from->second, std::move(*messages));
      return;
    }
    case PacketKind::closed:
      admitted_.erase(packet.from);
      break_links(packet.from, LinkLoss::closed);
      return;
  }
}

}  // namespace parley::node
