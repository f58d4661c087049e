// Watchers: many watch streams on one thread, and when each event reached the last of them.
// Owned by: main. Its methods: one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "load/latencies.h"

namespace parley::bench {

struct WatchAccount {
  std::string name;
  std::string token;
};

struct WatchersSeen {
  std::size_t served = 0;  // streams that are being served now
  std::size_t events = 0;  // of all streams, heartbeats not among them
  std::size_t lost = 0;    // how often a stream lost its node, or did not get one
  std::size_t resyncs = 0;
  std::string last_loss;
};

class Watchers {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Stream i is of account i modulo their number. All begin at `server`, some at a time.
  Watchers(const std::vector<base::Address>& servers, const std::vector<WatchAccount>& accounts,
           std::size_t streams, std::size_t server);
  ~Watchers();
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  [[nodiscard]] WatchersSeen seen() const;
  // False: not within the time.
  [[nodiscard]] bool wait_served(std::size_t streams, std::chrono::seconds limit) const;
  [[nodiscard]] bool wait_events(std::size_t events, std::chrono::seconds limit) const;
  // When the newest stream that was given this position got it.
  [[nodiscard]] Time last_arrival(std::uint64_t position) const;
  // From the loss of a node to the first word of the next one.
  [[nodiscard]] Latencies resume_times() const;

  // Ends the streams. Then, by stream, what it was given.
  void stop();
  [[nodiscard]] const std::vector<std::uint64_t>& given(std::size_t stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::bench
