#include "rpc/server.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/calls.h"
#include "rpc/completion_loop.h"
#include "rpc/health.h"
#include "rpc/raw_service.h"
#include "rpc/reflection.h"

namespace parley::rpc {
namespace {

// Far beyond what a request may have: gRPC's own refusal names another limit and carries no ErrorInfo, so
// ours comes first (refusal_by_size). It costs no memory: gRPC reads a message whole before it looks at its
// size, within the quota of all clients together.
constexpr int kMaxMessageBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxServerMemoryBytes = 512UL * 1024 * 1024;

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  take_nothing_compressed(builder);
  builder.SetResourceQuota(grpc::ResourceQuota("parley.clients").Resize(kMaxServerMemoryBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 10'000);
  // What gRPC takes of a stream before its client makes room counts nowhere else.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 8 * 1024);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second process on the port must fail
  // A client that froze or went away without a word is noticed within 30 s, and may ask as often itself.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE,
                             0);  // requests are small: the window is never what limits
}

class ServiceTarget : public CallTarget {
 public:
  explicit ServiceTarget(service::Service& service) : service_(service) {}

  void call(service::MethodId method, std::string_view request, service::CallContext context,
            service::ReplyCallback done) override {
    service_.call(method, request, std::move(context), std::move(done));
  }
  [[nodiscard]] std::unique_ptr<service::StreamHandle> open(
      service::MethodId method, std::string_view request, service::CallContext context,
      std::shared_ptr<service::ReplyStream> stream) override {
    return service_.open(method, request, std::move(context), std::move(stream));
  }

 private:
  service::Service& service_;
};

std::set<std::string, std::less<>> service_names() {
  std::set<std::string, std::less<>> names;
  for (const auto& method : service::methods()) {
    names.emplace(method.service);
  }
  return names;
}

std::set<std::string, std::less<>> listed_names() {
  auto names = service_names();
  names.emplace("grpc.health.v1.Health");
  return names;
}

}  // namespace

struct Server::State {
  explicit State(ServerOptions the_options) : options(std::move(the_options)) {}

  ServerOptions options;
  RawService raw;
  std::vector<AcceptedMethod> methods;
  std::vector<AcceptedMethod> health_methods = Health::add_methods(raw);
  Health health{service_names(), options.max_health_watches};
  Reflection reflection{raw, listed_names(), options.max_reflections};
  std::optional<ServiceTarget> target;
  std::vector<std::unique_ptr<WriteDeadlines>> deadlines;  // the loops', which end before
  std::vector<std::shared_ptr<CompletionLoop>> loops;
  std::vector<grpc::ServerCompletionQueue*> queues;  // the loops'
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  bool stopped = false;

  void add_methods() {
    for (const auto& method : service::methods()) {
      const auto type = method.kind == service::MethodKind::unary ? RawService::Type::NORMAL_RPC
                                                                  : RawService::Type::SERVER_STREAMING;
      methods.push_back({&raw, raw.add(method.service, method.name, type),
                         *service::find_method(method.service, method.name)});
    }
  }

  [[nodiscard]] CallHome home_of(std::size_t loop, CallTarget& answering) {
    return {.target = answering,
            .loop = loops[loop],
            .queue = queues[loop],
            .deadlines = *deadlines[loop],
            .options = options};
  }

  // Health and reflection are answered from the start, by the first loop.
  void begin_answering() {
    const CallHome home = home_of(0, health);
    reflection.begin(home);
    for (const auto& method : health_methods) {
      if (Health::is_stream(method.id)) {
        accept_stream(home, method);
      } else {
        accept_unary(home, method);
      }
    }
    for (const auto& loop : loops) {
      loop->start();
    }
  }

  void begin_accepting(service::Service& service) {
    target.emplace(service);
    for (std::size_t i = 0; i < loops.size(); ++i) {
      const CallHome home = home_of(i, *target);
      home.loop->post([this, home] {
        for (const auto& method : methods) {
          if (service::info(method.id).kind == service::MethodKind::unary) {
            accept_unary(home, method);
          } else {
            accept_stream(home, method);
          }
        }
      });
    }
  }
};

std::expected<std::unique_ptr<Server>, std::string> Server::listen(ServerOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  state->add_methods();
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.AddListeningPort(base::to_string(state->options.listen), grpc::InsecureServerCredentials(),
                           &state->port);
  builder.RegisterService(&state->raw);
  for (std::size_t i = 0; i < std::max<std::size_t>(state->options.threads, 1); ++i) {
    auto queue = builder.AddCompletionQueue();
    state->queues.push_back(queue.get());
    state->loops.push_back(std::make_shared<CompletionLoop>(std::move(queue)));
    state->deadlines.push_back(
        std::make_unique<WriteDeadlines>(*state->loops.back(), state->options.answer_timeout));
  }
  state->server = builder.BuildAndStart();
  if (!state->server || state->port == 0) {
    return std::unexpected("cannot listen for clients on " + base::to_string(state->options.listen) +
                           ": the address is in use, or not one of this machine");
  }
  state->begin_answering();
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  stop(std::chrono::milliseconds(0));
  end();
}

void Server::end() {
  for (const auto& loop : state_->loops) {
    loop->stop();
  }
}

std::shared_ptr<CompletionLoop> Server::loop() const { return state_->loops.front(); }

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(state_->port); }

void Server::serve(service::Service& service) {
  state_->begin_accepting(service);
  state_->health.set_serving(true);
}

void Server::stop(std::chrono::milliseconds grace) {
  if (std::exchange(state_->stopped, true)) {
    return;
  }
  state_->health.end();
  state_->server->Shutdown(std::chrono::system_clock::now() + grace);
  // All calls have ended; what gRPC has told of them is behind what has been posted.
  for (const auto& loop : state_->loops) {
    loop->run([] {});
  }
}

}  // namespace parley::rpc
