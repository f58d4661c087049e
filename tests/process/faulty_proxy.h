// FaultyProxy: a port on loopback whose connections go to a node, and whose replies can be dropped on the
// way. Owned by: a test. It has a thread of its own.
#pragma once

#include <atomic>
#include <thread>

#include "base/address.h"

namespace parley::testing {

struct ProxyRoute {
  base::Address target;
  base::Address listen{"127.0.0.1", 0};  // port 0: one that is free
  std::string network_namespace;         // of `ip netns`; empty: the test's own
};

// Addresses are of IPv4, in figures.
class FaultyProxy {
 public:
  explicit FaultyProxy(ProxyRoute route);
  explicit FaultyProxy(const base::Address& target) : FaultyProxy(ProxyRoute{.target = target}) {}
  ~FaultyProxy();
  FaultyProxy(const FaultyProxy&) = delete;
  FaultyProxy& operator=(const FaultyProxy&) = delete;

  [[nodiscard]] base::Address address() const { return address_; }
  // From now on requests go through and replies do not. New connections work again after `pass_replies`.
  void drop_replies() { dropping_ = true; }
  // As above, but a new connection is still made: what the node says before it has been sent a request goes
  // through.
  void drop_data_replies() { dropping_data_ = true; }
  void pass_replies() {
    dropping_ = false;
    dropping_data_ = false;
  }

 private:
  [[nodiscard]] std::uint16_t listen();
  void run(const std::stop_token& stop);

  const ProxyRoute route_;
  base::Address address_;
  int listener_ = -1;
  std::atomic<std::uint16_t> port_ = 0;  // 0: it does not listen yet
  std::atomic<bool> dropping_ = false;
  std::atomic<bool> dropping_data_ = false;
  std::jthread thread_;
};

}  // namespace parley::testing
