#include "parley/demo/namespaces.h"

#include <fmt/format.h>
#include <unistd.h>

#include "parley/demo/child.h"

namespace parley::demo {
namespace {

constexpr std::uint16_t kClientPort = 7700;
constexpr std::uint16_t kPeerPort = 7701;
constexpr std::uint16_t kHttpPort = 8080;

std::expected<void, std::string> ip(const std::string& arguments) {
  std::vector<std::string> words = {"ip"};
  std::size_t begin = 0;
  while (begin < arguments.size()) {
    const std::size_t end = std::min(arguments.find(' ', begin), arguments.size());
    words.push_back(arguments.substr(begin, end - begin));
    begin = end + 1;
  }
  return run_command(words);
}

// The first that fails ends it.
std::expected<void, std::string> ip_all(const std::vector<std::string>& commands) {
  for (const std::string& command : commands) {
    if (auto done = ip(command); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace

std::expected<std::unique_ptr<Namespaces>, std::string> Namespaces::open(int nodes) {
  if (::geteuid() != 0) {
    return std::unexpected("--namespaces needs root; without it the nodes share this machine's loopback");
  }
  const auto number = static_cast<unsigned>(::getpid()) % 12'000;  // two demos have networks of their own
  std::unique_ptr<Namespaces> spaces(new Namespaces(
      fmt::format("pld{}", number), fmt::format("10.{}.{}.", 100 + number / 100, (number % 100) * 2)));
  if (auto built = spaces->build(nodes); !built) {
    return std::unexpected(built.error());
  }
  return spaces;
}

Namespaces::~Namespaces() {
  for (const std::string& space : made_) {
    [[maybe_unused]] const auto done = ip("netns del " + space);
  }
}

std::expected<void, std::string> Namespaces::add(const std::string& name) {
  auto done = ip("netns add " + name);
  if (done) {
    made_.push_back(name);
    done = ip(fmt::format("-n {} link set lo up", name));
  }
  return done;
}

// A bridge in a namespace of its own; the nodes and this machine are plugged into it.
std::expected<void, std::string> Namespaces::build(int nodes) {
  const std::string bridge = name("s");
  if (auto done = add(bridge); !done) {
    return done;
  }
  if (auto done = ip_all({fmt::format("-n {} link add br0 type bridge", bridge),
                          fmt::format("-n {} link set br0 up", bridge)});
      !done) {
    return done;
  }
  for (int node = 1; node <= nodes; ++node) {
    const std::string space = name(std::to_string(node));
    const std::string address = network_ + std::to_string(node);
    if (auto done = add(space); !done) {
      return done;
    }
    if (auto done =
            ip_all({fmt::format("-n {} link add eth0 type veth peer name p{} netns {}", space, node, bridge),
                    fmt::format("-n {} addr add {}/24 dev eth0", space, address),
                    fmt::format("-n {} link set eth0 up", space),
                    fmt::format("-n {} link set p{} master br0 up", bridge, node)});
        !done) {
      return done;
    }
    nodes_.push_back({.client = {address, kClientPort},
                      .http = {address, kHttpPort},
                      .peer = {address, kPeerPort},
                      .listed = {address, kPeerPort}});
  }
  const std::string own = name("t");
  return ip_all({fmt::format("link add {} type veth peer name phost netns {}", own, bridge),
                 fmt::format("addr add {}254/24 dev {}", network_, own), fmt::format("link set {} up", own),
                 fmt::format("-n {} link set phost master br0 up", bridge)});
}

const NodeAddresses& Namespaces::addresses(int node) const {
  return nodes_.at(static_cast<std::size_t>(node - 1));
}

std::vector<std::string> Namespaces::wrapper(int node) const {
  return {"ip", "netns", "exec", name(std::to_string(node))};
}

void Namespaces::set_link(int node, const std::string& state) const {
  [[maybe_unused]] const auto done = ip(fmt::format("-n {} link set p{} {}", name("s"), node, state));
}

}  // namespace parley::demo
