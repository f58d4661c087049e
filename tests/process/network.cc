#include "tests/process/network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/ensure.h"

namespace parley::testing {
namespace {

constexpr std::uint16_t kClientPort = 7700;
constexpr std::uint16_t kPeerPort = 7701;
constexpr std::uint16_t kHttpPort = 8080;

void shell(const std::string& command) {
  const int status =
      std::system(command.c_str());  // NOLINT(bugprone-command-processor): ip and iptables are commands
  base::ensure(status == 0, "\"" + command + "\" works (it needs root, iproute2 and iptables)");
}

// Two tests at a time have networks of their own.
unsigned own_number() { return static_cast<unsigned>(::getpid()) % 12'000; }

}  // namespace

Network::Network(int machines)
    : machines_(machines),
      prefix_(fmt::format("ply{}", own_number())),
      net_(fmt::format("10.{}.{}.", 100 + own_number() / 100, (own_number() % 100) * 2)),
      inner_net_(fmt::format("10.{}.{}.", 100 + own_number() / 100, (own_number() % 100) * 2 + 1)) {
  base::ensure(::geteuid() == 0, "network namespaces need root");
  const std::string bridge = name("s");
  add_namespace(bridge);
  shell(fmt::format("ip -n {} link add br0 type bridge && ip -n {} link set br0 up", bridge, bridge));
  for (int machine = 1; machine <= machines_; ++machine) {
    add_namespace(space(machine));
    if (!is_behind_gateway(machine)) {
      plug_in(space(machine), fmt::format("p{}", machine), outer_ip(machine));
    }
  }
  add_gateway();
  // The test's own machine.
  shell(
      fmt::format("ip link add {0} type veth peer name ptest netns {1} && ip addr add {2}254/24 dev {0} && "
                  "ip link set {0} up && ip -n {1} link set ptest master br0 up",
                  name("t"), bridge, net_));
}

Network::~Network() {
  forwarders_.clear();
  for (const std::string& space : namespaces_) {
    [[maybe_unused]] const int status =
        std::system(("ip netns del " + space).c_str());  // NOLINT(bugprone-command-processor): as above
  }
}

std::string Network::name(const std::string& what) const { return prefix_ + what; }
std::string Network::space(int machine) const { return name(std::to_string(machine)); }
std::string Network::outer_ip(int machine) const { return net_ + std::to_string(machine); }

void Network::add_namespace(const std::string& name) {
  shell("ip netns add " + name);
  namespaces_.push_back(name);
  shell(fmt::format("ip -n {} link set lo up", name));
}

void Network::plug_in(const std::string& space, const std::string& port, const std::string& ip) {
  shell(fmt::format(
      "ip -n {0} link add eth0 type veth peer name {1} netns {2} && ip -n {0} addr add {3}/24 dev eth0 && "
      "ip -n {0} link set eth0 up && ip -n {2} link set {1} master br0 up",
      space, port, name("s"), ip));
}

// The last machine: it reaches the others through the gateway (NAT), they reach two of its ports there.
void Network::add_gateway() {
  const std::string gateway = name("g");
  const std::string inner = space(machines_);
  add_namespace(gateway);
  plug_in(gateway, fmt::format("p{}", machines_), outer_ip(machines_));
  shell(
      fmt::format("ip -n {0} link add eth0 type veth peer name inner netns {1} && "
                  "ip -n {0} addr add {2}2/24 dev eth0 && ip -n {0} link set eth0 up && "
                  "ip -n {1} addr add {2}1/24 dev inner && ip -n {1} link set inner up && "
                  "ip -n {0} route add default via {2}1",
                  inner, gateway, inner_net_));
  shell(fmt::format("ip netns exec {} sysctl -qw net.ipv4.ip_forward=1", gateway));
  shell(fmt::format("ip netns exec {} iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", gateway));
  for (const std::uint16_t port : {kClientPort, kPeerPort}) {
    forwarders_.push_back(std::make_unique<FaultyProxy>(ProxyRoute{.target = {inner_net_ + "2", port},
                                                                   .listen = {outer_ip(machines_), port},
                                                                   .network_namespace = gateway}));
  }
}

NodeAddresses Network::own_addresses(int machine) const {
  const std::string ip = is_behind_gateway(machine) ? inner_net_ + "2" : outer_ip(machine);
  return {.client = {ip, kClientPort}, .peer = {ip, kPeerPort}, .http = {ip, kHttpPort}};
}

ClusterOptions Network::cluster_options() const {
  ClusterOptions options{.nodes = machines_};
  for (int machine = 1; machine <= machines_; ++machine) {
    const std::string outer = outer_ip(machine);
    options.addresses.push_back(own_addresses(machine));
    options.advertised.push_back(
        {.client = {outer, kClientPort}, .peer = {outer, kPeerPort}, .http = {outer, kHttpPort}});
  }
  options.wrapper = [this](int machine) { return on(machine); };
  options.extra_flags = [this](int machine) {
    std::vector<std::string> flags = {"--insecure"};
    if (is_behind_gateway(machine)) {
      flags.insert(flags.end(),
                   {"--advertise-client", to_string(base::Address{outer_ip(machine), kClientPort}),
                    "--advertise-peer", to_string(base::Address{outer_ip(machine), kPeerPort})});
    }
    return flags;
  };
  return options;
}

std::vector<std::string> Network::on(int machine) const { return {"ip", "netns", "exec", space(machine)}; }

void Network::cut(int machine) { shell(fmt::format("ip -n {} link set p{} down", name("s"), machine)); }
void Network::heal(int machine) { shell(fmt::format("ip -n {} link set p{} up", name("s"), machine)); }

void Network::cut_from_peers(int machine) { change_peer_filter(machine, "-A"); }
void Network::heal_from_peers(int machine) { change_peer_filter(machine, "-D"); }

// Of connections in both directions, and those that exist already.
void Network::change_peer_filter(int machine, const std::string& action) {
  for (const std::string_view rule :
       {"INPUT -p tcp --dport", "INPUT -p tcp --sport", "OUTPUT -p tcp --dport", "OUTPUT -p tcp --sport"}) {
    shell(fmt::format("ip netns exec {} iptables {} {} {} -j DROP", space(machine), action, rule, kPeerPort));
  }
}

}  // namespace parley::testing
