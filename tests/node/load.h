// Load: clients of a TestCluster that send numbered messages through all nodes, retry as a client does, and
// know which were acknowledged. Owned by: one test.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/node/cluster.h"

namespace parley::node::testing {

// What one client sent and was told, in its own order.
struct ClientHistory {
  std::vector<std::string> acknowledged;
};

// `clients` threads send from `user` to itself until stop(). Each carries one message through, with the same
// bytes, until its outcome is known, and only then goes on: its acknowledged messages are a prefix of its
// numbers.
class Load {
 public:
  Load(std::vector<Replica*> nodes, const TestUser& user, std::uint32_t clients);
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void stop();
  // Nodes may be replaced while the load runs: null: skipped.
  void set_node(std::size_t at, Replica* node);
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] const std::vector<ClientHistory>& histories() const { return histories_; }  // after stop()

 private:
  void run(std::uint32_t client);
  [[nodiscard]] WriteResult send_once(std::uint64_t attempt, const chat::Command& command);

  TestUser user_;
  std::mutex mutex_;  // guards nodes_; held while a node is handed a write
  std::vector<Replica*> nodes_;
  std::vector<ClientHistory> histories_;
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> next_number_{1};
  std::atomic<bool> is_stopping_{false};
  std::vector<std::jthread> threads_;
};

}  // namespace parley::node::testing
