// Interruption: SIGINT, SIGTERM and SIGHUP while a call runs. The call is asked to end, so that a write can
// still say what is known of it, and by which request_id to ask again. Owned by: what lasts as long as the
// call; made before any other thread. Its own thread waits for signals.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>

#include "parley/mailbox.h"
#include "parley/signals.h"

namespace parley::cli {

// Ends the process as the signal does that nobody asked for.
void die_of(int signal);

class Interruption {
 public:
  // The first signal that came, 0: none. Outlives the Interruption.
  using Signal = std::shared_ptr<const std::atomic<int>>;

  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Stops at the first signal.
  [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }
  [[nodiscard]] Signal signal() const { return signal_; }
  // While this is so, a signal ends the process as if nobody had asked for it: there is nothing to tell. So
  // does a second signal at any time.
  void ends_at_once(bool ends) { ends_at_once_ = ends; }

 private:
  void take_all();

  Signals signals_;
  Mailbox end_;
  std::stop_source stop_;
  std::shared_ptr<std::atomic<int>> signal_;
  std::atomic<bool> ends_at_once_ = false;
  std::thread thread_;
};

}  // namespace parley::cli
