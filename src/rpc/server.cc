#include "rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/calls.h"
#include "rpc/completion_loop.h"
#include "rpc/raw_service.h"

namespace parley::rpc {
namespace {

// Beyond what service refuses with a word of its own; what is even larger, gRPC refuses unread.
constexpr int kMaxMessageBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxServerMemoryBytes = 512UL * 1024 * 1024;

void set_up_plugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);  // of health and reflection
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.SetResourceQuota(grpc::ResourceQuota("parley.clients").Resize(kMaxServerMemoryBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second process on the port must fail
  // A client that froze or went away without a word is noticed within 30 s, and may ask as often itself.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
}

}  // namespace

struct Server::State {
  explicit State(ServerOptions the_options) : options(std::move(the_options)) {}

  ServerOptions options;
  std::map<std::string_view, RawService> raw;  // one for each name: reflection tells one name of each
  std::vector<AcceptedMethod> methods;
  std::vector<std::shared_ptr<CompletionLoop>> loops;
  std::vector<grpc::ServerCompletionQueue*> queues;  // the loops'
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  bool stopped = false;

  void add_methods() {
    for (const auto& method : service::methods()) {
      const auto type = method.kind == service::MethodKind::unary ? RawService::Type::NORMAL_RPC
                                                                  : RawService::Type::SERVER_STREAMING;
      auto& service_of_name = raw[method.service];
      methods.push_back({&service_of_name, service_of_name.add(method.service, method.name, type),
                         *service::find_method(method.service, method.name)});
    }
  }

  void begin_accepting(service::Service& service) {
    for (std::size_t i = 0; i < loops.size(); ++i) {
      const CallHome home{service, loops[i], queues[i], options};
      for (const auto& method : methods) {
        if (service::info(method.id).kind == service::MethodKind::unary) {
          accept_unary(home, method);
        } else {
          accept_stream(home, method);
        }
      }
      loops[i]->start();
    }
  }
};

std::expected<std::unique_ptr<Server>, std::string> Server::listen(ServerOptions options) {
  set_up_plugins();
  auto state = std::make_unique<State>(std::move(options));
  state->add_methods();
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.AddListeningPort(base::to_string(state->options.listen), grpc::InsecureServerCredentials(),
                           &state->port);
  for (auto& [name, raw] : state->raw) {
    builder.RegisterService(&raw);
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(state->options.threads, 1); ++i) {
    auto queue = builder.AddCompletionQueue();
    state->queues.push_back(queue.get());
    state->loops.push_back(std::make_shared<CompletionLoop>(std::move(queue)));
  }
  state->server = builder.BuildAndStart();
  if (!state->server || state->port == 0) {
    return std::unexpected("cannot listen for clients on " + base::to_string(state->options.listen) +
                           ": the address is in use, or not one of this machine");
  }
  if (auto* health = state->server->GetHealthCheckService(); health != nullptr) {
    health->SetServingStatus(false);
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { stop(std::chrono::milliseconds(0)); }

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(state_->port); }

void Server::serve(service::Service& service) {
  state_->begin_accepting(service);
  if (auto* health = state_->server->GetHealthCheckService(); health != nullptr) {
    health->SetServingStatus(true);
  }
}

void Server::stop(std::chrono::milliseconds grace) {
  if (std::exchange(state_->stopped, true)) {
    return;
  }
  if (auto* health = state_->server->GetHealthCheckService(); health != nullptr) {
    health->Shutdown();
  }
  state_->server->Shutdown(std::chrono::system_clock::now() + grace);
  for (const auto& loop : state_->loops) {
    loop->stop();
  }
}

}  // namespace parley::rpc
