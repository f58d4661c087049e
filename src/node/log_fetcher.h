// LogFetcher: reads entries that are no longer in memory from the log on disk, on a thread of its own, so
// that neither ticks nor syncs wait for it. Owned by: the replica. fetch: the core thread.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "raft/core.h"
#include "wal/log.h"

namespace parley::node {

class LogFetcher {
 public:
  // Called on the fetcher's thread. The log cannot be read: Failed.
  using Fetched = std::move_only_function<void(raft::FetchRequest, std::vector<raft::Entry>)>;
  using Failed = std::move_only_function<void(const std::string& what)>;

  LogFetcher(const wal::Log& log, Fetched fetched, Failed failed);
  ~LogFetcher();
  LogFetcher(const LogFetcher&) = delete;
  LogFetcher& operator=(const LogFetcher&) = delete;

  // False, and the request untouched: the queue is full.
  [[nodiscard]] bool fetch(raft::FetchRequest& request) { return queue_.try_push(std::move(request)); }
  void stop();

 private:
  void run();

  const wal::Log& log_;
  Fetched fetched_;
  Failed failed_;
  base::BoundedQueue<raft::FetchRequest> queue_;
  std::jthread thread_;
};

}  // namespace parley::node
