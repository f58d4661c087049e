// Senders: closed-loop clients, each with one unary SendMessage in flight, over one completion queue. A send
// that was not acknowledged is sent again, with the same request_id, to the next node, as a client of Parley
// does. Owned by: main. All calls: one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/latencies.h"

namespace parley::bench {

struct LeaderSeen {
  std::uint64_t term = 0;
  std::optional<std::size_t> server;  // index of the leader among the servers, where it is known
  std::uint64_t applied = 0;          // its position, where it is known
};

struct SendFigures {
  std::size_t acknowledged = 0;
  std::size_t errors = 0;  // attempts that had to be made again
  std::string last_error;
  std::chrono::nanoseconds longest_gap{0};  // between two acknowledgements
  Latencies latencies;                      // from the first attempt to the acknowledgement
};

class Senders {
 public:
  Senders(const std::vector<std::string>& servers, std::size_t clients, std::size_t body_size_bytes);
  ~Senders();
  Senders(const Senders&) = delete;
  Senders& operator=(const Senders&) = delete;

  // Waits until a node says that it takes writes. False: not within the time.
  [[nodiscard]] bool wait_writable(std::chrono::seconds timeout);
  // One account for each client. An error text, or nothing.
  [[nodiscard]] std::optional<std::string> register_accounts();

  // From the next send on: all to this account, or, empty, to a random one of the clients.
  void send_all_to(std::string name);
  [[nodiscard]] std::string new_name();
  [[nodiscard]] std::string new_request_id();

  // Runs the load until `until`. Sends in flight then stay in flight for the next run.
  [[nodiscard]] SendFigures run_until(std::chrono::steady_clock::time_point until);
  // Lets what is in flight end.
  void drain();

  // Asks every node; the highest term counts.
  [[nodiscard]] LeaderSeen leader();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::bench
