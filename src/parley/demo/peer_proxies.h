// PeerProxies: one door in front of each node's peer port, in this process. Whoever dials a door is told by
// the process that holds the other end, so every link (who dials, whom) can be cut by itself, without root.
// A link that is cut is silent, as a cable is: nothing passes, nothing is closed; what was under way arrives
// when it is healed. Owned by: Nodes. It has a thread of its own; its methods: the main thread.
#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "parley/demo/peer_network.h"

namespace parley::demo {

class PeerProxies final : public PeerNetwork {
 public:
  // `nodes` with their client and http addresses and peer ports; the doors' ports are filled in here.
  [[nodiscard]] static std::expected<std::unique_ptr<PeerProxies>, std::string> open(
      std::vector<NodeAddresses> nodes);
  ~PeerProxies() override;
  PeerProxies(const PeerProxies&) = delete;
  PeerProxies& operator=(const PeerProxies&) = delete;

  [[nodiscard]] const NodeAddresses& addresses(int node) const override;
  [[nodiscard]] std::vector<std::string> wrapper(int) const override { return {}; }
  [[nodiscard]] std::vector<std::string> flags(int node) const override;
  void started(int node, pid_t process) override;
  void cut(int node) override;
  void heal(int node) override;

 private:
  // Bytes on their way from one end to the other; read only when nothing waits.
  struct Way {
    std::string waiting;
    std::size_t sent_bytes = 0;
    [[nodiscard]] bool is_empty() const { return sent_bytes == waiting.size(); }
  };
  struct Link {
    int dialler = 0;                     // node
    int target = 0;                      // node
    std::array<int, 2> ends = {-1, -1};  // the dialler's; the target's, -1: not connected yet
    std::array<Way, 2> ways;             // from ends[i] to the other
  };

  explicit PeerProxies(std::vector<NodeAddresses> nodes) : nodes_(std::move(nodes)) {}
  void run(const std::stop_token& stop);
  void accept(int door_node);
  [[nodiscard]] bool is_cut(const Link& link) const;
  // False: the link is over.
  [[nodiscard]] bool pump(Link& link, const std::array<short, 2>& ready) const;
  [[nodiscard]] static bool is_abandoned(const Link& link);
  [[nodiscard]] bool connect(Link& link) const;
  static void close(const Link& link);

  std::vector<NodeAddresses> nodes_;
  std::vector<int> doors_;  // listening sockets, by node - 1
  int wake_ = -1;
  std::list<Link> links_;  // the thread's alone
  mutable std::mutex mutex_;
  std::map<pid_t, int> processes_;  // guarded; by process id
  std::set<int> cut_off_;           // guarded; nodes
  std::jthread thread_;
};

}  // namespace parley::demo
