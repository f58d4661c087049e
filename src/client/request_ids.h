// RequestIds: makes request ids (UUIDv7), by the server's time once a server has said that this machine's
// clock is off. Owned by: a client. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace parley::client {

class RequestIds {
 public:
  // Milliseconds since 1970; the system's clock by default.
  using Clock = std::function<std::int64_t()>;

  explicit RequestIds(Clock clock);

  [[nodiscard]] std::string make();
  // `server_time_unix_ms` as an error carried it.
  void learn(std::int64_t server_time_unix_ms);
  [[nodiscard]] std::int64_t clock_offset_ms() const { return offset_ms_.load(); }

 private:
  Clock clock_;
  std::atomic<std::int64_t> offset_ms_{0};
};

}  // namespace parley::client
