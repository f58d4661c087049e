// Namespaces: each node in a network namespace with its own address, as on several machines; a node is cut
// off by taking its link down, so clients do not reach it either. Needs root and iproute2.
// Owned by: Nodes. The main thread.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parley/demo/peer_network.h"

namespace parley::demo {

class Namespaces final : public PeerNetwork {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<Namespaces>, std::string> open(int nodes);
  ~Namespaces() override;  // takes them away
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  [[nodiscard]] const NodeAddresses& addresses(int node) const override;
  [[nodiscard]] std::vector<std::string> wrapper(int node) const override;
  [[nodiscard]] std::vector<std::string> flags(int) const override { return {"--insecure"}; }
  void started(int, pid_t) override {}
  void cut(int node) override { set_link(node, "down"); }
  void heal(int node) override { set_link(node, "up"); }

 private:
  Namespaces(std::string prefix, std::string network)
      : prefix_(std::move(prefix)), network_(std::move(network)) {}
  [[nodiscard]] std::expected<void, std::string> build(int nodes);
  [[nodiscard]] std::expected<void, std::string> add(const std::string& name);
  [[nodiscard]] std::string name(const std::string& what) const { return prefix_ + what; }
  void set_link(int node, const std::string& state) const;

  const std::string prefix_;   // of every name that the system sees
  const std::string network_;  // "10.x.y."
  std::vector<std::string> made_;
  std::vector<NodeAddresses> nodes_;
};

}  // namespace parley::demo
