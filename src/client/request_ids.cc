#include "client/request_ids.h"

#include <array>
#include <chrono>
#include <random>
#include <utility>

#include "base/uuid7.h"

namespace parley::client {
namespace {

std::int64_t system_unix_ms() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
}

}  // namespace

RequestIds::RequestIds(Clock clock) : clock_(clock ? std::move(clock) : Clock(system_unix_ms)) {}

std::string RequestIds::make() {
  std::random_device device;
  std::array<std::uint8_t, 10> random{};
  for (std::uint8_t& byte : random) {
    byte = static_cast<std::uint8_t>(device() & 0xffU);
  }
  return base::to_string(base::make_request_id(clock_() + offset_ms_.load(), random));
}

void RequestIds::learn(std::int64_t server_time_unix_ms) { offset_ms_.store(server_time_unix_ms - clock_()); }

}  // namespace parley::client
