// Collector: a WatchSink that keeps what it is given, and complains about a position that comes twice or out
// of order. Owned by: one test, shared with its subscription. Any thread.
#pragma once

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/chat_node.h"
#include "tests/node/cluster.h"

namespace parley::node::testing {

// Keeps what it is given; has room for `room` events.
class Collector final : public WatchSink {
 public:
  explicit Collector(std::size_t room = SIZE_MAX) : room_(room) {}

  [[nodiscard]] bool on_event(const chat::SharedEvent& event) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_TRUE(has_begun_) << "an event before the first heartbeat";
    EXPECT_GT(event->position, position_) << "a position twice, or out of order";
    position_ = event->position;
    events_.push_back(event);
    return events_.size() < room_;
  }
  [[nodiscard]] bool on_heartbeat(base::Position position, const AsOf& as_of, bool writable) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_GE(position, position_);
    position_ = position;
    as_of_position_ = as_of.position;
    age_ms_ = as_of.age_ms;
    is_writable_ = writable;
    has_begun_ = true;
    ++heartbeats_;
    return true;
  }
  [[nodiscard]] bool on_resync(base::Position) override {
    const std::scoped_lock lock(mutex_);
    ++resyncs_;
    return true;
  }
  void on_end(const base::Error& why) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_FALSE(end_) << "ended twice";
    end_ = why;
  }

  [[nodiscard]] std::vector<std::string> bodies() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> bodies;
    for (const auto& event : events_) {
      if (const auto* sent = std::get_if<chat::MessageSent>(&event->what)) {
        bodies.push_back(sent->message.body);
      }
    }
    return bodies;
  }
  [[nodiscard]] std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return events_.size();
  }
  [[nodiscard]] base::Position position() const {
    const std::scoped_lock lock(mutex_);
    return position_;
  }
  [[nodiscard]] base::Position as_of_position() const {
    const std::scoped_lock lock(mutex_);
    return as_of_position_;
  }
  [[nodiscard]] int heartbeats() const {
    const std::scoped_lock lock(mutex_);
    return heartbeats_;
  }
  // As the last heartbeat said.
  [[nodiscard]] std::optional<std::uint32_t> age_ms() const {
    const std::scoped_lock lock(mutex_);
    return age_ms_;
  }
  [[nodiscard]] bool is_writable() const {
    const std::scoped_lock lock(mutex_);
    return is_writable_;
  }
  [[nodiscard]] int resyncs() const {
    const std::scoped_lock lock(mutex_);
    return resyncs_;
  }
  [[nodiscard]] std::optional<base::Error> end() const {
    const std::scoped_lock lock(mutex_);
    return end_;
  }

 private:
  const std::size_t room_;
  mutable std::mutex mutex_;
  std::vector<chat::SharedEvent> events_;
  base::Position position_;
  base::Position as_of_position_;
  std::optional<std::uint32_t> age_ms_;
  bool is_writable_ = false;
  bool has_begun_ = false;
  int heartbeats_ = 0;
  int resyncs_ = 0;
  std::optional<base::Error> end_;
};

inline WatchStart start_of(const TestUser& user, std::optional<base::Position> after = std::nullopt) {
  return {.account = user.account, .session = user.session, .after = after, .cluster_id = {}};
}

}  // namespace parley::node::testing
