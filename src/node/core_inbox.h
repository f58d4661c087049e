// CoreInbox: the bounded queue of the core thread. It wakes that thread as rarely as can be: once for all
// that comes while it rests, and, while a batch of the log is under way, not for writes, which could only
// wait for its end (they "gather"). Owned by: the replica. Any thread pushes; wait_until, take: the core
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "base/parker.h"
#include "node/core_events.h"

namespace parley::node {

class CoreInbox {
 public:
  explicit CoreInbox(std::size_t capacity_events) : capacity_events_(capacity_events) {}
  CoreInbox(const CoreInbox&) = delete;
  CoreInbox& operator=(const CoreInbox&) = delete;

  enum class Urgency : std::uint8_t {
    gathers,  // a write: may wait for the batch under way
    urgent,
  };

  // False, and `event` untouched, if the inbox is full or closed.
  [[nodiscard]] bool try_push(CoreEvent&& event, Urgency urgency);
  // Waits for room. False if the inbox is closed.
  [[nodiscard]] bool push_waiting(CoreEvent&& event);

  // Until `deadline`, or something has come; while the core `gathers`, something urgent, or until
  // `longest_gathering` has passed if a write has come.
  void wait_until(std::chrono::steady_clock::time_point deadline, bool gathers,
                  std::chrono::steady_clock::duration longest_gathering);
  // Everything there is.
  [[nodiscard]] std::deque<CoreEvent> take();

  // Refuses what comes from now on; what is inside can still be taken.
  void close();

 private:
  enum class Rest : std::uint8_t { none, gathering, full };

  // With the mutex held. True: the core thread is to be woken.
  [[nodiscard]] bool add(CoreEvent&& event, Urgency urgency);
  // False: there is no need to wait.
  [[nodiscard]] bool begin_rest(Rest rest);
  [[nodiscard]] bool is_resting();
  void rest(Rest rest, std::chrono::steady_clock::time_point until);

  const std::size_t capacity_events_;
  std::mutex mutex_;
  base::Parker core_;
  std::condition_variable not_full_;
  std::deque<CoreEvent> events_;
  bool has_urgent_ = false;
  Rest rest_ = Rest::none;
  bool closed_ = false;
};

}  // namespace parley::node
