// StatusPoller: asks every node, each by itself, how it is. Owned by: Demo. A thread for each node; latest():
// any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "parley/demo/ack_times.h"

namespace parley::demo {

enum class Role : std::uint8_t { follower, candidate, leader };

// What a node said of itself.
struct NodeStatus {
  Role role = Role::follower;
  std::uint64_t term = 0;
  std::uint64_t commit_index = 0;
  std::uint64_t applied_index = 0;
  bool writable = false;
  Time heard{};
};

// By node - 1. Nothing: it did not answer when it was asked last.
using Statuses = std::vector<std::optional<NodeStatus>>;

// The leader of the highest term that somebody claims to lead. 0: nobody does.
[[nodiscard]] int leader_of(const Statuses& statuses);

class StatusPoller {
 public:
  StatusPoller(const std::vector<base::Address>& nodes, const std::string& token);
  ~StatusPoller();
  StatusPoller(const StatusPoller&) = delete;
  StatusPoller& operator=(const StatusPoller&) = delete;

  [[nodiscard]] Statuses latest() const;

 private:
  void ask(std::size_t node, const base::Address& address, const std::string& token,
           const std::stop_token& stop);

  mutable std::mutex mutex_;
  Statuses latest_;  // guarded
  std::vector<std::jthread> threads_;
};

}  // namespace parley::demo
