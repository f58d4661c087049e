#include "gateway/gateway.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <map>
#include <utility>
#include <vector>

#include "gateway/connect.h"
#include "gateway/connection.h"
#include "gateway/loop.h"
#include "gateway/metrics.h"
#include "gateway/router.h"

namespace parley::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kAcceptPause = std::chrono::milliseconds(200);  // where no file can be opened
constexpr auto kQuietFor = std::chrono::seconds(60);           // between two log lines of one trouble
constexpr int kAcceptsAtOnce = 64;
constexpr std::size_t kScratchBytes = 64UL * 1024;
constexpr std::size_t kOtherFiles = 512;  // of the log, the state, clients of gRPC, other nodes
constexpr std::size_t kFewFiles = 4'096;

// Connections are let go that nobody answers on: within a minute, whether something is to be sent or not.
void find_dead_clients(tcp::socket& socket) {
  const auto set = [&socket](int level, int name, int value) {
    (void)setsockopt(socket.native_handle(), level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

// As many as the limit of open files leaves, and says so where that is few.
std::size_t max_connections(std::size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
    return wanted;
  }
  const std::size_t allowed = files.rlim_cur;
  const std::size_t left = allowed > 2 * kOtherFiles ? allowed - kOtherFiles : allowed / 2;
  if (allowed < kFewFiles) {
    spdlog::warn(
        "only {} files may be open (RLIMIT_NOFILE): at most {} connections over HTTP; raise it with "
        "ulimit -n or LimitNOFILE=",
        allowed, std::min(left, wanted));
  }
  return std::min(left, wanted);
}

base::Error too_many_connections() {
  auto error = base::refused(base::Code::resource_exhausted, "TOO_MANY_CONNECTIONS",
                             "This node has too many connections; try another node.");
  error.retry_after_ms = 1'000;
  return error;
}

}  // namespace

struct Gateway::State {
  explicit State(GatewayOptions the_options)
      : options(std::move(the_options)), acceptor(loop->context()), timer(loop->context()) {}

  std::expected<void, std::string> listen();
  void serve(service::Service& service, const node::ChatNode& node, Metrics& metrics);
  [[nodiscard]] HttpCounts counts() const;
  void wait_for_clients();
  void accept_all();
  void admit(tcp::socket socket);
  void on_accept_error(const boost::system::error_code& error);
  void tick();
  void close_all() const;

  GatewayOptions options;
  std::shared_ptr<Loop> loop = std::make_shared<Loop>();
  tcp::acceptor acceptor;
  asio::steady_timer timer;
  std::vector<char> scratch = std::vector<char>(kScratchBytes);
  std::unique_ptr<Router> router;
  std::unique_ptr<ConnectionHome> home;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections;
  std::uint64_t next_id = 1;
  std::size_t connection_limit = 0;
  bool is_accepting = false;
  Clock::time_point accept_again_at = Clock::time_point::max();
  Clock::time_point complain_at;
  std::promise<void>* all_gone = nullptr;  // told when the last connection has gone
  bool is_serving = false;
  bool is_stopped = false;
};

std::expected<void, std::string> Gateway::State::listen() {
  const auto& address = options.listen;
  const auto fail = [&address](const std::string& why) {
    return std::unexpected("cannot listen for HTTP on " + base::to_string(address) + ": " + why);
  };
  boost::system::error_code error;
  tcp::resolver resolver(loop->context());
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return fail(error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(4'096, error);
  }
  if (!error) {
    acceptor.non_blocking(true, error);
  }
  if (error) {
    return fail(error.message());
  }
  options.listen.port = acceptor.local_endpoint().port();
  if (options.advertise.host.empty()) {
    options.advertise = options.listen;
  } else if (options.advertise.port == 0) {
    options.advertise.port = options.listen.port;
  }
  return {};
}

HttpCounts Gateway::State::counts() const {
  return {.connections = connections.size(),
          .streams = home->streams,
          .accepted = next_id - 1,
          .bytes_read = home->bytes_read,
          .bytes_written = home->bytes_written,
          .answers = home->answers_by_status};
}

void Gateway::State::serve(service::Service& service, const node::ChatNode& node, Metrics& metrics) {
  connection_limit = max_connections(options.limits.max_connections);
  router = std::make_unique<Router>(
      options, loop, RoutedTo{.service = service, .node = node, .metrics = metrics, .http_counts = [this] {
                                return counts();
                              }});
  home = std::make_unique<ConnectionHome>(ConnectionHome{
      .limits = options.limits,
      .loop = *loop,
      .handler = *router,
      .scratch = scratch,
      .gone =
          [this](Connection& connection) {
            connections.erase(connection.id());
            if (connections.empty() && all_gone != nullptr) {
              std::exchange(all_gone, nullptr)->set_value();
            }
          },
      .answers = service.answers(),
  });
  is_serving = true;
  loop->start();
  loop->post([this] {
    wait_for_clients();
    tick();
  });
}

void Gateway::State::wait_for_clients() {
  is_accepting = true;
  acceptor.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (!error) {
      accept_all();
    }
  });
}

void Gateway::State::accept_all() {
  is_accepting = false;
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    boost::system::error_code error;
    tcp::socket socket(loop->context());
    acceptor.accept(socket, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      break;
    }
    if (error) {
      on_accept_error(error);
      if (accept_again_at != Clock::time_point::max()) {
        return;
      }
      continue;
    }
    admit(std::move(socket));
  }
  wait_for_clients();
}

void Gateway::State::admit(tcp::socket socket) {
  if (connections.size() >= connection_limit + options.limits.max_refused_connections) {
    return;  // those that linger over their refusal take files, too
  }
  boost::system::error_code error;
  socket.non_blocking(true, error);
  if (error) {
    return;
  }
  find_dead_clients(socket);
  const auto id = next_id++;
  const auto connection = std::make_shared<Connection>(*home, id, std::move(socket));
  connections.emplace(id, connection);
  if (connections.size() > connection_limit) {
    Response response = error_response(too_many_connections());
    response.status = 503;
    connection->start_refused(std::move(response));
  } else {
    connection->start();
  }
}

// A client that went away again is no trouble. Without files, memory or buffers the waiting connections stay
// where they are, and are looked at again a little later: they would be told of without end.
void Gateway::State::on_accept_error(const boost::system::error_code& error) {
  if (error == asio::error::connection_aborted || error == asio::error::interrupted ||
      error == boost::system::errc::protocol_error) {
    return;
  }
  accept_again_at = Clock::now() + kAcceptPause;
  if (Clock::now() >= complain_at) {
    complain_at = Clock::now() + kQuietFor;
    spdlog::warn("cannot accept connections over HTTP now: {}", error.message());
  }
}

void Gateway::State::tick() {
  const auto now = Clock::now();
  std::vector<std::shared_ptr<Connection>> due;
  for (const auto& [id, connection] : connections) {
    if (connection->is_due(now)) {
      due.push_back(connection);
    }
  }
  for (const auto& connection : due) {
    connection->on_due(now);
  }
  if (now >= accept_again_at && acceptor.is_open()) {
    accept_again_at = Clock::time_point::max();
    if (!is_accepting) {
      wait_for_clients();
    }
  }
  timer.expires_after(kTick);
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      tick();
    }
  });
}

void Gateway::State::close_all() const {
  const auto ending = connections;  // each takes itself out of the list
  for (const auto& [id, connection] : ending) {
    connection->close();
  }
}

std::expected<std::unique_ptr<Gateway>, std::string> Gateway::listen(GatewayOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  if (auto listening = state->listen(); !listening) {
    return std::unexpected(std::move(listening).error());
  }
  return std::unique_ptr<Gateway>(new Gateway(std::move(state)));
}

Gateway::Gateway(std::unique_ptr<State> state) : state_(std::move(state)) {}

Gateway::~Gateway() { stop(std::chrono::milliseconds(0)); }

std::uint16_t Gateway::port() const { return state_->options.listen.port; }

void Gateway::serve(service::Service& service, const node::ChatNode& node, Metrics& metrics) {
  state_->serve(service, node, metrics);
}

void Gateway::stop(std::chrono::milliseconds grace) {
  State& state = *state_;
  if (std::exchange(state.is_stopped, true)) {
    return;
  }
  if (!state.is_serving) {
    return;
  }
  std::promise<void> all_gone;
  state.loop->post([&state, &all_gone] {
    boost::system::error_code ignored;
    state.acceptor.close(ignored);
    state.home->is_draining = true;
    const auto draining = state.connections;
    for (const auto& [id, connection] : draining) {
      connection->drain();
    }
    if (state.connections.empty()) {
      all_gone.set_value();
    } else {
      state.all_gone = &all_gone;
    }
  });
  auto gone = all_gone.get_future();
  (void)gone.wait_for(grace);
  std::promise<void> closed;
  state.loop->post([&state, &closed] {
    state.all_gone = nullptr;
    state.close_all();
    state.timer.cancel();
    closed.set_value();
  });
  closed.get_future().wait();
  state.loop->stop();
}

}  // namespace parley::gateway
