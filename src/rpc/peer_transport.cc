#include "rpc/peer_transport.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <map>
#include <shared_mutex>
#include <utility>

#include "base/ensure.h"
#include "node/peer_codec.h"
#include "rpc/accepted_peer.h"
#include "rpc/peer_link.h"
#include "rpc/raw_service.h"

namespace parley::rpc {
namespace {

constexpr std::size_t kMaxServerMemoryBytes = 256UL * 1024 * 1024;
constexpr std::chrono::milliseconds kAcceptEvery{25};
// Of a stream between peers. Measured windows (gRPC's default) cost a ping and an answer at every
// measurement, small ones a word about the window with every other message.
constexpr int kWindow_bytes = 8 * 1024 * 1024;

void set_limits(grpc::ServerBuilder& builder, const PeerTransportOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(node::kMaxFrame_bytes));
  builder.SetMaxSendMessageSize(-1);
  take_nothing_compressed(builder);
  builder.SetResourceQuota(grpc::ResourceQuota("parley.peers").Resize(kMaxServerMemoryBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 16);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second process on the port must fail
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             static_cast<int>(options.keepalive_interval.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(options.keepalive_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindow_bytes);
}

// Whatever whoever is at the other end has put into it.
std::string as_one_line(std::string text) {
  std::ranges::replace_if(text, [](char byte) { return byte < ' ' || byte > '~'; }, '?');
  return text;
}

}  // namespace

void PeerContext::tell_once(const std::string& trouble) {
  constexpr std::size_t kMaxTold = 1'000;
  constexpr std::size_t kMaxBytes = 2'000;
  std::string what = trouble.substr(0, kMaxBytes);
  if (told.contains(what)) {
    return;
  }
  if (told.size() >= kMaxTold) {
    told.clear();  // rather told twice than never
  }
  told.insert(what);
  spdlog::warn("{}", as_one_line(std::move(what)));
}

struct PeerTransport::State {
  explicit State(PeerTransportOptions options) { context.options = std::move(options); }

  std::promise<void> all_gone;  // what uses the context
  PeerContext context;
  bool owns_loop = false;
  RawService raw;
  std::unique_ptr<AcceptHome> home;
  std::unique_ptr<grpc::ServerCompletionQueue> accepting;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  std::map<base::NodeId, std::shared_ptr<PeerLink>> links;  // the loop's thread
  std::shared_mutex queues_mutex;
  std::map<base::NodeId, std::shared_ptr<PeerQueue>> queues;
  bool started = false;
  bool stopped = false;

  void apply_peers(std::vector<node::PeerAddresses> peers);
  void keep_queues();
  void accept_what_came(std::shared_ptr<void> alive);
  void stop_accepting();
  void stop_on_loop();
};

// New connections come through a queue of their own, since a queue belongs to one server. No thread waits for
// it: gRPC lets whichever thread polls read from all sockets, and a second one would be woken for the first
// one's. `alive` is handed on, and not taken from the context again: that has given it up as soon as the
// transport stops, and a round in between would be waited for by nobody.
void PeerTransport::State::accept_what_came(std::shared_ptr<void> alive) {
  if (!accepting) {
    return;
  }
  void* tag = nullptr;
  bool ok = false;
  while (accepting->AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) ==
         grpc::CompletionQueue::GOT_EVENT) {
    static_cast<Completion*>(tag)->complete(ok);
  }
  context.loop->post_after(
      kAcceptEvery, [this, alive = std::move(alive)]() mutable { accept_what_came(std::move(alive)); });
}

void PeerTransport::State::stop_accepting() {
  accepting->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (accepting->Next(&tag, &ok)) {
    static_cast<Completion*>(tag)->complete(ok);
  }
  accepting.reset();
}

void PeerTransport::State::apply_peers(std::vector<node::PeerAddresses> peers) {
  std::erase_if(peers, [this](const auto& peer) { return peer.id == context.hello.self.id; });
  std::erase_if(links, [&](const auto& item) {
    const bool is_named = std::ranges::find(peers, item.first, &node::PeerAddresses::id) != peers.end();
    if (!is_named) {
      item.second->close();
    }
    return !is_named;
  });
  for (auto& peer : peers) {
    auto& link = links[peer.id];
    if (link) {
      link->set_addresses(std::move(peer.addresses));
    } else {
      link = std::make_shared<PeerLink>(context, std::move(peer));
      link->begin();
    }
  }
  keep_queues();
}

void PeerTransport::State::keep_queues() {
  std::map<base::NodeId, std::shared_ptr<PeerQueue>> now;
  for (const auto& [id, link] : links) {
    now.emplace(id, link->queue());
  }
  const std::unique_lock lock(queues_mutex);
  queues.swap(now);
}

void PeerTransport::State::stop_on_loop() {
  for (const auto& [id, link] : links) {
    link->close();
  }
  context.stopping = true;
  links.clear();
  keep_queues();
  context.alive.reset();
}

std::expected<std::unique_ptr<PeerTransport>, std::string> PeerTransport::listen(
    PeerTransportOptions options, std::shared_ptr<CompletionLoop> loop) {
  auto state = std::make_unique<State>(std::move(options));
  state->owns_loop = loop == nullptr;
  state->context.loop =
      loop ? std::move(loop) : std::make_shared<CompletionLoop>(std::make_unique<grpc::CompletionQueue>());
  state->context.alive =
      std::shared_ptr<void>(nullptr, [&gone = state->all_gone](void*) { gone.set_value(); });
  const int index = state->raw.add(kPeerServiceName, kPeerMethodName, RawService::Type::BIDI_STREAMING);
  grpc::ServerBuilder builder;
  set_limits(builder, state->context.options);
  builder.AddListeningPort(base::to_string(state->context.options.listen), grpc::InsecureServerCredentials(),
                           &state->port);
  builder.RegisterService(&state->raw);
  state->accepting = builder.AddCompletionQueue();
  state->home =
      std::make_unique<AcceptHome>(AcceptHome{state->context, state->raw, index, state->accepting.get(), {}});
  state->server = builder.BuildAndStart();
  if (!state->server || state->port == 0) {
    return std::unexpected("cannot listen for peers on " + base::to_string(state->context.options.listen) +
                           ": the address is in use, or not one of this machine");
  }
  return std::unique_ptr<PeerTransport>(new PeerTransport(std::move(state)));
}

PeerTransport::PeerTransport(std::unique_ptr<State> state) : state_(std::move(state)) {}

PeerTransport::~PeerTransport() {
  stop();
  // What was posted by a thread that did not know yet has run then.
  state_->context.loop->run([] {});
}

std::uint16_t PeerTransport::port() const { return static_cast<std::uint16_t>(state_->port); }

void PeerTransport::start(node::Hello hello, node::PeerHandler& handler) {
  base::ensure(!state_->started, "a transport is started once");
  state_->started = true;
  state_->context.hello = std::move(hello);
  state_->context.handler = &handler;
  if (state_->owns_loop) {
    state_->context.loop->start();
  }
  state_->context.loop->post([state = state_.get()] {
    AcceptedPeer::accept(*state->home);
    state->accept_what_came(state->context.alive);
  });
}

void PeerTransport::stop() {
  if (std::exchange(state_->stopped, true)) {
    return;
  }
  auto& loop = *state_->context.loop;
  if (state_->started) {
    loop.run([this] { state_->stop_on_loop(); });
  }
  state_->server->Shutdown(std::chrono::system_clock::now());  // cancels what peers have dialled
  if (state_->started) {
    loop.run([this] { state_->stop_accepting(); });
    state_->all_gone.get_future().wait();
  } else {
    state_->stop_accepting();
  }
  if (state_->owns_loop) {
    loop.stop();
  }
}

void PeerTransport::set_hello(node::Hello hello) {
  state_->context.loop->post([state = state_.get(), hello = std::move(hello)]() mutable {
    state->context.hello = std::move(hello);
    for (const auto& [id, link] : state->links) {
      link->send_hello();
    }
    for (const auto& peer : state->home->open) {
      peer->send_hello();
    }
  });
}

void PeerTransport::set_peers(std::vector<node::PeerAddresses> peers) {
  state_->context.loop->post([state = state_.get(), peers = std::move(peers)]() mutable {
    if (!state->context.stopping) {
      state->apply_peers(std::move(peers));
    }
  });
}

bool PeerTransport::send(base::NodeId to, node::PeerMessage message) {
  const std::shared_lock lock(state_->queues_mutex);
  const auto found = state_->queues.find(to);
  return found != state_->queues.end() && found->second->push(std::move(message));
}

void PeerTransport::flush() {
  std::vector<base::NodeId> woken;
  {
    const std::shared_lock lock(state_->queues_mutex);
    for (const auto& [id, queue] : state_->queues) {
      if (queue->wants_wake()) {
        woken.push_back(id);
      }
    }
  }
  if (!woken.empty()) {
    state_->context.loop->post([state = state_.get(), woken = std::move(woken)] {
      for (const base::NodeId id : woken) {
        if (const auto found = state->links.find(id); found != state->links.end()) {
          found->second->pump();
        }
      }
    });
  }
}

}  // namespace parley::rpc
