// ServerList: which server to ask next. Spreads calls in turn over those that are well, and skips one that
// failed for a while, twice as long after each further failure.
// Owned by: a client, which guards it. Knows no network and no clock: the caller says what time it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace parley::client {

struct SkipTimes {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds most{8'000};
};

class ServerList {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `start`: the first server that is asked, modulo `count`; at random, so that clients spread too.
  ServerList(std::size_t count, std::size_t start, SkipTimes skip);

  // The next one in turn that is not skipped and is not `avoid`; if all are skipped, the one whose time ends
  // first (another than `avoid` where there is one).
  [[nodiscard]] std::size_t pick(Time now, std::optional<std::size_t> avoid = std::nullopt);

  void failed(std::size_t server, Time now);
  void succeeded(std::size_t server);

  // True if a server that is not skipped exists: asking at once makes sense.
  [[nodiscard]] bool any_well(Time now) const;
  [[nodiscard]] std::size_t count() const { return servers_.size(); }

 private:
  struct Server {
    Time skipped_until{};
    std::chrono::milliseconds next_skip{};
  };

  std::vector<Server> servers_;
  std::size_t next_;
  SkipTimes skip_;
};

}  // namespace parley::client
