// Talk: ann and bob, who write to each other at a steady rate through the client library, and watch what
// comes in. Every write is recorded; at the end it is counted at every node.
// Owned by: Demo. Threads of its own; the methods: any thread, but open() and count() block.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "client/client.h"
#include "client/watch.h"
#include "parley/demo/ack_times.h"
#include "parley/demo/record.h"

namespace parley::demo {

inline constexpr const char* kPassword = "parley demo";  // of both: their page is open to whoever looks

struct TalkOptions {
  std::vector<base::Address> servers;
  double rate_per_s = 100;  // of both together
};

class Talk {
 public:
  // Makes the two accounts, or logs them in, as soon as the cluster takes writes. Nobody talks yet.
  [[nodiscard]] static std::expected<std::unique_ptr<Talk>, std::string> open(TalkOptions options,
                                                                              const std::stop_token& stop);
  ~Talk();  // gives up what is under way
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  [[nodiscard]] const std::string& token() const { return people_[0].token; }
  void start();

  struct Picture {
    Counts counts;
    std::vector<std::uint32_t> columns;
    std::size_t last_second = 0;  // acknowledged
    std::string last_words;       // the newest message that a watch brought
  };
  [[nodiscard]] Picture picture(Time now, std::size_t columns) const;
  [[nodiscard]] std::chrono::milliseconds longest_silence(Time from, Time to) const;

  // Begins no more writes, waits until every outcome is known, and asks each node for all messages. The error
  // says why it cannot be counted.
  [[nodiscard]] std::expected<Verdict, std::string> count(const std::stop_token& stop);

 private:
  struct Person {
    std::string name;
    std::uint64_t id = 0;
    std::string token;
    std::unique_ptr<client::Client> client;
  };
  class Ear;  // one person's watch

  explicit Talk(TalkOptions options);
  [[nodiscard]] std::expected<void, std::string> introduce(Person& person, const std::stop_token& stop);
  [[nodiscard]] const Person& person(Speaker speaker) const {
    return people_[static_cast<std::size_t>(speaker)];
  }
  [[nodiscard]] client::ClientOptions client_options() const;
  void speak(Speaker speaker, const std::stop_token& stop);
  [[nodiscard]] bool wait_for_turn(const std::stop_token& stop);
  void write(Speaker speaker, const std::stop_token& stop);
  [[nodiscard]] std::expected<std::vector<Found>, std::string> list_at(const base::Address& node,
                                                                       const std::stop_token& stop) const;

  const TalkOptions options_;
  std::array<Person, 2> people_;
  std::uint64_t first_position_ = 0;  // messages of this run lie after it
  mutable std::mutex mutex_;
  std::condition_variable_any turn_;
  Record record_;  // guarded, like all that follows
  AckTimes times_;
  Time next_turn_{};
  std::string last_words_;
  std::stop_source hard_stop_;  // ends calls under way
  std::vector<std::unique_ptr<Ear>> ears_;
  std::vector<std::jthread> lanes_;  // last: they use all of the above
};

}  // namespace parley::demo
