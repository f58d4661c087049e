// LocalNode: a ChatNode of one process, for tests of what lies above the node: the real state machine and
// readers, no log, no peers. Commands are applied in the caller's thread. Tests can hold back, lose or refuse
// answers, and let stale reads lag. Owned by: the test. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "chat/state_machine.h"
#include "node/chat_node.h"

namespace parley::test {

class LocalNode : public node::ChatNode {
 public:
  // A state file in `folder`, founded at once unless told otherwise.
  explicit LocalNode(const std::string& folder, bool founded = true);
  ~LocalNode() override;
  LocalNode(const LocalNode&) = delete;
  LocalNode& operator=(const LocalNode&) = delete;

  void write(chat::Command command, node::Deadline deadline, node::WriteCallback done) override;
  void read(node::ReadMode mode, node::Deadline deadline, node::ReadCallback done) override;
  [[nodiscard]] std::unique_ptr<node::Subscription> watch(const node::WatchStart& start,
                                                          std::shared_ptr<node::WatchSink> sink) override;
  // It leads, and can answer for itself: UNAVAILABLE, and counted.
  void call_leader(node::CallToLeader call, node::ApiCallback done) override;
  void set_api_handler(std::weak_ptr<node::ApiHandler> handler) override;
  [[nodiscard]] node::NodeStatus status() const override;
  [[nodiscard]] std::optional<chat::TokenKey> token_key() const override;
  [[nodiscard]] std::int64_t server_time_unix_ms() const override;

  // Of the next write: it is applied, but the caller hears that its outcome is unknown.
  void lose_next_reply();
  // Writes are refused so, until called again with nothing.
  void refuse_writes(std::optional<base::Error> error);
  // Linearizable reads and writes wait until the guard is let go.
  void hold_answers(bool hold);
  // Stale reads see the state as it is now, until called with false.
  void freeze_stale_reads(bool freeze);
  // Runs before the next write is applied.
  void before_next_write(std::function<void()> action);
  void heartbeat();

  [[nodiscard]] const std::string& state_path() const { return state_path_; }
  [[nodiscard]] std::uint64_t linearizable_reads() const { return linearizable_reads_; }
  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  [[nodiscard]] std::uint64_t calls_to_leader() const { return calls_to_leader_; }
  [[nodiscard]] std::shared_ptr<node::ApiHandler> api_handler() const;
  [[nodiscard]] std::size_t watchers() const;
  [[nodiscard]] std::size_t held() const;  // answers that are held back
  void advance_clock_ms(std::int64_t ms) { clock_ms_ += ms; }

 private:
  class LocalSubscription;
  struct Watcher {
    node::WatchStart start;
    std::shared_ptr<node::WatchSink> sink;
  };

  void write_locked(const chat::Command& command, node::WriteCallback done);
  void read_locked(node::ReadMode mode, node::ReadCallback done);
  void give_out(const std::vector<chat::SharedEvent>& events);
  void drop_watcher(std::uint64_t id);
  [[nodiscard]] node::AsOf as_of() const;
  [[nodiscard]] std::unique_ptr<chat::Reader> take_reader();

  const std::string state_path_;
  mutable std::recursive_mutex mutex_;
  std::unique_ptr<chat::StateMachine> state_;
  std::vector<std::unique_ptr<chat::Reader>> free_readers_;
  std::unique_ptr<chat::Reader> frozen_reader_;
  std::map<std::uint64_t, Watcher> watchers_;
  std::uint64_t next_watcher_ = 1;
  bool lose_next_reply_ = false;
  std::optional<base::Error> refusal_;
  bool hold_ = false;
  std::vector<std::move_only_function<void()>> held_;
  std::function<void()> before_next_write_;
  std::atomic<std::uint64_t> linearizable_reads_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> calls_to_leader_{0};
  std::weak_ptr<node::ApiHandler> api_handler_;
  std::atomic<std::int64_t> clock_ms_{0};
};

}  // namespace parley::test
