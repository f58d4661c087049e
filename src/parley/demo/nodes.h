// Nodes: the demo's five parleyd processes, and everything that is done to them.
// Owned by: Demo. The main thread: children die with the thread that started them.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/demo/child.h"
#include "parley/demo/peer_network.h"

namespace parley::demo {

inline constexpr int kNodes = 5;

enum class Condition : std::uint8_t {
  runs,
  stopping,  // was asked to stop, with all others
  stopped,   // and did
  killed,
  frozen,
  cut_off,
  died,  // by itself: that is a fault of ours
};
[[nodiscard]] std::string to_string(Condition condition);

struct NodesOptions {
  std::filesystem::path program;  // parleyd
  std::filesystem::path folder;   // node-1 ... node-5 and their logs
  bool namespaces = false;
};

class Nodes {
 public:
  // Opens the network; nothing runs yet.
  [[nodiscard]] static std::expected<std::unique_ptr<Nodes>, std::string> open(NodesOptions options);
  ~Nodes();  // SIGKILL to what still runs
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  [[nodiscard]] const NodeAddresses& addresses(int node) const { return network_->addresses(node); }
  [[nodiscard]] std::string page(int node) const;  // its URL
  [[nodiscard]] Condition condition(int node) const;
  [[nodiscard]] bool is_up(int node) const { return condition(node) == Condition::runs; }
  [[nodiscard]] int count(Condition condition) const;

  // What is not running, and is not stopping.
  [[nodiscard]] std::expected<void, std::string> start_all();
  void kill(int node);     // SIGKILL
  void freeze(int node);   // SIGSTOP
  void cut_off(int node);  // from the other nodes
  // Undoes what was done to it, whatever it was.
  [[nodiscard]] std::expected<void, std::string> bring_back(int node);
  void ask_all_to_stop();  // SIGTERM; undoes what is frozen or cut off
  void kill_all();
  [[nodiscard]] bool any_runs() const;

  // Looks which have ended. Those that did so by themselves, with their last log lines.
  [[nodiscard]] std::vector<std::string> look();

 private:
  struct Node {
    std::optional<Child> child;
    Condition condition = Condition::stopped;
  };
  explicit Nodes(NodesOptions options) : options_(std::move(options)), nodes_(kNodes) {}
  [[nodiscard]] std::expected<void, std::string> start(int node);
  [[nodiscard]] std::vector<std::string> command(int node) const;
  [[nodiscard]] std::filesystem::path log_file(int node) const;
  [[nodiscard]] std::string last_log_line(int node) const;
  [[nodiscard]] Node& at(int node) { return nodes_.at(static_cast<std::size_t>(node - 1)); }

  const NodesOptions options_;
  std::unique_ptr<PeerNetwork> network_;
  std::vector<Node> nodes_;  // by node - 1; ended before the network goes
};

}  // namespace parley::demo
