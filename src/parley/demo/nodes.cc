#include "parley/demo/nodes.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <utility>

#include "base/ensure.h"
#include "parley/demo/namespaces.h"
#include "parley/demo/peer_proxies.h"

namespace parley::demo {
namespace {

bool is_free(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const bool free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(socket);
  return free;
}

// The first free port from `first` on, in steps; it is not the one given last.
std::uint16_t take_port(std::uint16_t first, std::uint16_t step, std::vector<std::uint16_t>& taken) {
  for (std::uint32_t port = first; port < 65'536; port += step) {
    const auto candidate = static_cast<std::uint16_t>(port);
    if (std::ranges::count(taken, candidate) == 0 && is_free(candidate)) {
      taken.push_back(candidate);
      return candidate;
    }
  }
  base::stop_process("there is a free port");
}

// The usual ports where they are free, so that a browser finds its page where it was.
std::vector<NodeAddresses> on_loopback() {
  std::vector<std::uint16_t> taken;
  std::vector<NodeAddresses> nodes;
  for (int node = 0; node < kNodes; ++node) {
    const auto offset = static_cast<std::uint16_t>(node);
    nodes.push_back(
        {.client = {"127.0.0.1", take_port(static_cast<std::uint16_t>(7700 + 10 * offset), 10, taken)},
         .http = {"127.0.0.1", take_port(static_cast<std::uint16_t>(8080 + offset), 1, taken)},
         .peer = {"127.0.0.1", take_port(static_cast<std::uint16_t>(7701 + 10 * offset), 10, taken)}});
  }
  return nodes;
}

template <class Network>
std::expected<std::unique_ptr<PeerNetwork>, std::string> as_network(
    std::expected<std::unique_ptr<Network>, std::string> opened) {
  if (!opened) {
    return std::unexpected(opened.error());
  }
  return std::unique_ptr<PeerNetwork>(*std::move(opened));
}

}  // namespace

std::string to_string(Condition condition) {
  switch (condition) {
    case Condition::runs:
      return "runs";
    case Condition::stopping:
      return "stopping";
    case Condition::stopped:
      return "stopped";
    case Condition::killed:
      return "killed";
    case Condition::frozen:
      return "frozen";
    case Condition::cut_off:
      return "cut off";
    case Condition::died:
      return "DIED";
  }
  base::stop_process("a condition is one of its enumerators");
}

std::expected<std::unique_ptr<Nodes>, std::string> Nodes::open(NodesOptions options) {
  std::unique_ptr<Nodes> nodes(new Nodes(std::move(options)));
  auto network = nodes->options_.namespaces ? as_network(Namespaces::open(kNodes))
                                            : as_network(PeerProxies::open(on_loopback()));
  if (!network) {
    return std::unexpected(network.error());
  }
  nodes->network_ = *std::move(network);
  return nodes;
}

Nodes::~Nodes() { nodes_.clear(); }

std::string Nodes::page(int node) const {
  return fmt::format("http://{}/", base::to_string(addresses(node).http));
}

Condition Nodes::condition(int node) const { return nodes_.at(static_cast<std::size_t>(node - 1)).condition; }

int Nodes::count(Condition condition) const {
  return static_cast<int>(std::ranges::count(nodes_, condition, &Node::condition));
}

std::filesystem::path Nodes::log_file(int node) const {
  return options_.folder / fmt::format("node-{}.log", node);
}

std::vector<std::string> Nodes::command(int node) const {
  std::string cluster;
  for (int id = 1; id <= kNodes; ++id) {
    cluster += fmt::format("{}{}={}", id == 1 ? "" : ",", id, base::to_string(addresses(id).listed));
  }
  const NodeAddresses& own = addresses(node);
  std::vector<std::string> words = network_->wrapper(node);
  for (const std::string& word :
       {options_.program.string(), std::string("--id"), std::to_string(node), std::string("--data"),
        (options_.folder / fmt::format("node-{}", node)).string(), std::string("--client"),
        base::to_string(own.client), std::string("--peer"), base::to_string(own.peer), std::string("--http"),
        base::to_string(own.http), std::string("--cluster"), cluster}) {
    words.push_back(word);
  }
  std::ranges::copy(network_->flags(node), std::back_inserter(words));
  return words;
}

std::expected<void, std::string> Nodes::start(int node) {
  auto child = Child::start(command(node), log_file(node));
  if (!child) {
    return std::unexpected(child.error());
  }
  network_->started(node, child->id());
  at(node) = {.child = *std::move(child), .condition = Condition::runs};
  return {};
}

std::expected<void, std::string> Nodes::start_all() {
  for (int node = 1; node <= kNodes; ++node) {
    if (auto done = bring_back(node); !done) {
      return done;
    }
  }
  return {};
}

void Nodes::kill(int node) {
  Node& it = at(node);
  if (!it.child) {
    return;
  }
  if (it.condition == Condition::cut_off) {
    network_->heal(node);
  }
  it.child->send(SIGKILL);
  it.child->wait();
  it.child.reset();
  it.condition = Condition::killed;
}

void Nodes::freeze(int node) {
  if (is_up(node)) {
    at(node).child->freeze();
    at(node).condition = Condition::frozen;
  }
}

void Nodes::cut_off(int node) {
  if (is_up(node)) {
    network_->cut(node);
    at(node).condition = Condition::cut_off;
  }
}

std::expected<void, std::string> Nodes::bring_back(int node) {
  Node& it = at(node);
  switch (it.condition) {
    case Condition::runs:
    case Condition::stopping:
      return {};
    case Condition::frozen:
      it.child->send(SIGCONT);
      break;
    case Condition::cut_off:
      network_->heal(node);
      break;
    default:
      return start(node);
  }
  it.condition = Condition::runs;
  return {};
}

void Nodes::ask_all_to_stop() {
  for (int node = 1; node <= kNodes; ++node) {
    Node& it = at(node);
    if (it.child) {
      [[maybe_unused]] const auto healed = bring_back(node);
      it.child->send(SIGTERM);
      it.condition = Condition::stopping;
    }
  }
}

void Nodes::kill_all() {
  for (int node = 1; node <= kNodes; ++node) {
    kill(node);
  }
}

bool Nodes::any_runs() const {
  return std::ranges::any_of(nodes_, [](const Node& node) { return node.child.has_value(); });
}

std::string Nodes::last_log_line(int node) const {
  std::ifstream file(log_file(node));
  std::string line;
  std::string last;
  while (std::getline(file, line)) {
    last = line.empty() ? last : line;
  }
  return last;
}

std::vector<std::string> Nodes::look() {
  std::vector<std::string> died;
  for (int node = 1; node <= kNodes; ++node) {
    Node& it = at(node);
    const auto status = it.child ? it.child->ended() : std::nullopt;
    if (!status) {
      continue;
    }
    it.child.reset();
    if (it.condition == Condition::stopping && WIFEXITED(*status) && WEXITSTATUS(*status) == 0) {
      it.condition = Condition::stopped;
      continue;
    }
    it.condition = Condition::died;
    died.push_back(fmt::format(
        "node {} ended by itself ({} {}): {}", node, WIFSIGNALED(*status) ? "signal" : "exit code",
        WIFSIGNALED(*status) ? WTERMSIG(*status) : WEXITSTATUS(*status), last_log_line(node)));
  }
  return died;
}

}  // namespace parley::demo
