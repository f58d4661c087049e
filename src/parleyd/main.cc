// parleyd: one node of a Parley cluster.
#include <spdlog/spdlog.h>
#include <string.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/standard_files.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "node/replica.h"
#include "parleyd/data_folder.h"
#include "parleyd/log_lines.h"
#include "parleyd/options.h"
#include "parleyd/process.h"
#include "rpc/libraries.h"
#include "rpc/peer_transport.h"
#include "rpc/server.h"
#include "service/service.h"
#include "wal/file_system.h"

namespace parley::parleyd {
namespace {

constexpr int kCannotStart = 1;
constexpr auto kGrace = std::chrono::milliseconds(2'000);  // for calls under way when the node stops

node::ReplicaOptions replica_options(const Options& options) {
  node::ReplicaOptions replica;
  replica.id = options.id;
  replica.data_folder = options.data_folder;
  for (const auto& peer : options.cluster) {
    replica.founders.push_back({peer.id, base::to_string(peer.address)});
  }
  replica.peer_address = base::to_string(options.advertise_peer);
  replica.client_address = base::to_string(options.advertise_client);
  replica.http_address = base::to_string(options.advertise_http);
  return replica;
}

service::ServiceOptions service_options(gateway::Metrics& metrics) {
  service::ServiceOptions options;
  options.version = PARLEY_VERSION;
  // Half of the cores at most: passwords must not starve everybody's messages.
  options.password_threads = std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, 4);
  options.on_answer = [&metrics](const service::MethodInfo& method, base::Code code,
                                 std::chrono::nanoseconds took) { metrics.on_answer(method, code, took); };
  return options;
}

int fail(const std::string& why) {
  spdlog::error("{}", why);
  return kCannotStart;
}

// Outermost first when it stops: no new calls, then the node, then its connections.
int run(const Options& options) {
  for (const auto& address : exposed_addresses(options)) {
    spdlog::warn("{} can be reached from other machines, and what passes there is not encrypted", address);
  }
  const auto metrics = std::make_unique<gateway::Metrics>(PARLEY_VERSION);
  const auto files = wal::make_posix_file_system();
  auto server = rpc::Server::listen({.listen = options.client});  // before anything is founded or changed
  if (!server) {
    return fail(server.error());
  }
  auto transport = rpc::PeerTransport::listen({.listen = options.peer}, (*server)->loop());
  if (!transport) {
    return fail(transport.error());
  }
  auto gateway = gateway::Gateway::listen({.listen = options.http, .advertise = options.advertise_http});
  if (!gateway) {
    return fail(gateway.error());
  }
  if (options.reset) {
    if (auto emptied = empty_data_folder(*files, options.data_folder); !emptied) {
      return fail(emptied.error());
    }
  }
  auto replica = node::Replica::open(replica_options(options), *files, **transport);
  if (!replica) {
    return fail(replica.error());
  }
  auto service = std::make_unique<service::Service>(**replica, service_options(*metrics));
  (*server)->serve(*service);
  (*gateway)->serve(*service, **replica, *metrics);
  spdlog::info("ready: node {} with its data in {}; clients connect to {}, other nodes to {}, browsers to {}",
               options.id.value(), options.data_folder, base::to_string(options.client),
               base::to_string(options.peer), base::to_string(options.http));
  const int number = wait_for_stop();
  spdlog::info("stopping: {}", strsignal(number));
  service->begin_shutdown();
  (*gateway)->stop(kGrace);
  (*server)->stop(kGrace);
  (*replica)->stop();
  (*transport)->stop();
  (*server)->end();
  service.reset();
  spdlog::info("stopped");
  return 0;
}

}  // namespace
}  // namespace parley::parleyd

int main(int argc, char** argv) {
  parley::base::occupy_standard_files();
  const auto options = parley::parleyd::parse_options(std::vector<std::string>(argv + 1, argv + argc));
  if (!options) {
    const auto& leave = options.error();
    std::fprintf(leave.exit_code == 0 ? stdout : stderr, "%s\n", leave.text.c_str());
    return leave.exit_code;
  }
  parley::parleyd::prepare_process();
  const parley::parleyd::LogLines log_lines;
  parley::rpc::prepare_libraries();
  return parley::parleyd::run(*options);
}
