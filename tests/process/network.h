// Network: machines of their own on one switch: a network namespace each, with an address each. The last one
// stands behind a gateway that forwards two ports to it. Needs root: without it the test fails. Owned by: a
// test. The test itself is one more machine on the switch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "tests/process/cluster.h"
#include "tests/process/faulty_proxy.h"

namespace parley::testing {

class Network {
 public:
  explicit Network(int machines);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // For a cluster with a node on each machine.
  [[nodiscard]] ClusterOptions cluster_options() const;
  // A command that runs on this machine.
  [[nodiscard]] std::vector<std::string> on(int machine) const;
  // Where its node listens, as seen from the machine itself.
  [[nodiscard]] NodeAddresses own_addresses(int machine) const;

  void cut(int machine);  // its link to the switch
  void heal(int machine);
  // From the other nodes alone: clients reach it as before.
  void cut_from_peers(int machine);
  void heal_from_peers(int machine);

 private:
  [[nodiscard]] std::string name(const std::string& what) const;
  [[nodiscard]] std::string space(int machine) const;
  void change_peer_filter(int machine, const std::string& action);
  [[nodiscard]] std::string outer_ip(int machine) const;  // on the switch: the machine's, or its gateway's
  [[nodiscard]] bool is_behind_gateway(int machine) const { return machine == machines_; }
  void add_namespace(const std::string& name);
  void plug_in(const std::string& space, const std::string& port, const std::string& ip);
  void add_gateway();

  const int machines_;
  const std::string prefix_;  // of every name
  const std::string net_;     // "10.a.b."
  const std::string inner_net_;
  std::vector<std::string> namespaces_;
  std::vector<std::unique_ptr<FaultyProxy>> forwarders_;
};

}  // namespace parley::testing
