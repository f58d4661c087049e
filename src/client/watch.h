// Watch: the stream of one account's events, carried on from node to node: each event once, in order. It
// leaves a node that is dead, silent, or cut off from the majority while another one is not. Owned by: the
// program; ended before its Client. It has a thread of its own, which calls the handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "client/client.h"
#include "parley/v1/api.pb.h"

namespace parley::client {

// Called by the watch's thread, one call at a time.
class WatchHandler {
 public:
  virtual ~WatchHandler() = default;
  // A node serves the stream; `position` is where it starts. Called at every reconnect.
  virtual void on_connected(const std::string& server, std::uint64_t position) = 0;
  // A message, read, deleted, account_gone or heartbeat. Positions of all but heartbeats only rise.
  virtual void on_event(const v1::WatchResponse& event) = 0;
  // Events were missed (or it is another cluster): what was shown has to be read again. The stream goes on,
  // and has begun before this call, so nothing falls in between.
  virtual void on_resync() = 0;
  // The stream broke; another node is asked.
  virtual void on_trouble(const std::string& server, const base::Error& error) = 0;
  // The last call: the session ended, or the server refuses for good.
  virtual void on_end(const base::Error& error) = 0;
};

struct WatchStart {
  std::optional<std::uint64_t> after_position;  // nothing: from now on
  std::string cluster_id;                       // that the position is from
  // No word for this long, heartbeats included, and another node is asked.
  std::chrono::milliseconds silence_limit{6'000};
};

class Watch {
 public:
  Watch(Client& client, WatchStart start, WatchHandler& handler);
  ~Watch();  // ends the stream and joins the thread
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Breaks the present stream, as if its node had failed; the next one is opened at another node.
  void move();
  // Of the last event or heartbeat that was handled.
  [[nodiscard]] std::uint64_t position() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::client
