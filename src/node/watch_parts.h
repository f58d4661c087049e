// Private to the watch hub: one watch, and what readers answer about it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "node/pending.h"
#include "node/watch_hub.h"

namespace parley::node {

enum class WatchStage : std::uint8_t { waiting, checking, to_replay, replaying, catching_up, live, ended };

struct WatchHub::Watch {
  WatchStart start;
  std::shared_ptr<WatchSink> sink;
  std::mutex calls;               // held while the sink is called
  bool is_closed = false;         // guarded by `calls`: no call after it is set
  Place place;                    // guarded by `calls`
  std::atomic<bool> gone{false};  // the subscriber has left

  // The hub thread alone.
  WatchStage stage = WatchStage::waiting;
  base::Position cursor;      // given everything up to here
  base::Position checked_at;  // the session was there as of this position; none: not looked at yet
  bool has_begun = false;     // its first heartbeat was given
  bool is_foreign = false;    // of another cluster
};

// What a reader found out about a watch's session.
struct WatchHub::Checked {
  WatchPtr watch;
  std::optional<base::Error> error;  // the watch ends
  base::Position snapshot;
  base::Position oldest;  // that can be replayed from
};

// Events of a replay: those after `from`, up to `through`, for all of `watches` (each of which skips what
// lies before its own cursor).
struct WatchHub::Page {
  std::vector<WatchPtr> watches;
  bool is_scan = false;
  base::Position from;
  std::optional<base::Error> error;  // the watches end
  bool is_too_old = false;
  std::vector<chat::SharedEvent> events;
  base::Position through;
};

}  // namespace parley::node
