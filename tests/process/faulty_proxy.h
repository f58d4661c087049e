// FaultyProxy: a port on loopback whose connections go to a node, and whose replies can be dropped on the
// way. Owned by: a test. It has a thread of its own.
#pragma once

#include <atomic>
#include <thread>

#include "base/address.h"

namespace parley::testing {

class FaultyProxy {
 public:
  explicit FaultyProxy(const base::Address& target);
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
  void run(const std::stop_token& stop);

  base::Address target_;
  base::Address address_;
  int listener_;
  std::atomic<bool> dropping_ = false;
  std::atomic<bool> dropping_data_ = false;
  std::jthread thread_;
};

}  // namespace parley::testing
