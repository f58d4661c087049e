// Talk: one person who sends numbered messages to another, each after the answer to the one before, while
// nodes are killed. It keeps what was acknowledged, and how long the longest wait for an answer was. Owned
// by: a test. It has a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "tests/process/cluster.h"

namespace parley::testing {

struct Acknowledged {
  std::uint64_t id = 0;
  std::string body;
  bool operator==(const Acknowledged&) const = default;
};

// Of a GoogleTest failure message.
void PrintTo(const Acknowledged& message, std::ostream* out);

class Talk {
 public:
  // Registers both. `names` are unique in the cluster.
  Talk(const Cluster& cluster, const std::string& sender, const std::string& recipient);
  Talk(std::unique_ptr<client::Client> sending, std::unique_ptr<client::Client> reading,
       const std::string& sender, const std::string& recipient);
  ~Talk();  // as finish()
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  [[nodiscard]] std::uint64_t count() const { return count_.load(); }
  // Waits for so many more acknowledged messages; fails the test after two minutes.
  void wait_for_more(std::uint64_t more) const;
  // Ends after the message under way.
  void finish();

  // After finish().
  [[nodiscard]] const std::vector<Acknowledged>& acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::chrono::milliseconds longest_gap() const { return longest_gap_; }
  // What did not end as "done", and what was read that should not have been.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

  [[nodiscard]] const std::string& sender_token() const { return sender_token_; }
  [[nodiscard]] const std::string& recipient_token() const { return recipient_token_; }

 private:
  void run(const std::stop_token& stop);
  void send_one(std::uint64_t number);

  std::string recipient_;
  std::string sender_token_;
  std::string recipient_token_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<client::Client> reader_;
  std::vector<Acknowledged> acknowledged_;
  std::vector<std::string> complaints_;
  std::chrono::milliseconds longest_gap_{0};
  std::atomic<std::uint64_t> count_{0};
  std::jthread thread_;
};

// The token of a new account.
[[nodiscard]] std::string sign_up(client::Client& client, const std::string& name);

// The position at which it was acknowledged; 0: it was not.
[[nodiscard]] std::uint64_t send_note(client::Client& client, const std::string& to, const std::string& body);

// Everything that `token`'s account has received from everybody, as these nodes tell it.
[[nodiscard]] std::vector<Acknowledged> inbox_of(client::Client& client);
[[nodiscard]] std::vector<Acknowledged> inbox_of(const Cluster& cluster, const std::vector<int>& nodes,
                                                 const std::string& token);

}  // namespace parley::testing
