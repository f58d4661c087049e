// A seeded history of a few accounts: what people do, in an order that a seed decides. Owned by: a test.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "tests/chat/chat_world.h"

namespace parley::chat::testing {

class Script {
 public:
  Script(World& world, std::uint64_t seed) : world_(world), random_(seed) {}

  // One more entry. Some are refused, some are retries, some are sweeps.
  void step();
  [[nodiscard]] const std::vector<User>& users() const { return users_; }
  [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }

 private:
  void change_accounts();
  std::vector<MessageId> some_ids();

  World& world_;
  std::mt19937_64 random_;
  std::vector<User> users_;
  std::uint64_t made_ = 0;
};

}  // namespace parley::chat::testing
