// Talkers: accounts that are watched, and the first few of them, who write to all in turn through the client
// library, one message after the other. Owned by: main. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "client/client.h"
#include "watch_load/watchers.h"

namespace parley::bench {

struct Sent {
  std::size_t sender = 0;     // account
  std::size_t recipient = 0;  // account
  std::uint64_t position = 0;
  std::chrono::steady_clock::time_point begun;
  std::chrono::steady_clock::time_point acknowledged;
};

class Talkers {
 public:
  explicit Talkers(std::vector<base::Address> servers) : servers_(std::move(servers)) {}

  // Makes the accounts, as soon as the cluster takes writes. An error text, or nothing.
  [[nodiscard]] std::optional<std::string> register_accounts(std::size_t count);
  [[nodiscard]] const std::vector<WatchAccount>& accounts() const { return accounts_; }
  // Which of the servers leads; nothing: nobody says so.
  [[nodiscard]] std::optional<std::size_t> leader();

  // The next message, until it is acknowledged. An error text, or nothing.
  [[nodiscard]] std::optional<std::string> send_one();
  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }
  // The positions that a stream of this account is to be given, rising: what it sent and what it received.
  [[nodiscard]] std::vector<std::uint64_t> expected(std::size_t account) const;

 private:
  const std::vector<base::Address> servers_;
  std::vector<WatchAccount> accounts_;
  std::vector<std::unique_ptr<client::Client>> senders_;
  std::vector<Sent> sent_;
};

}  // namespace parley::bench
