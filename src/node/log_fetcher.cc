#include "node/log_fetcher.h"

#include <utility>

#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::size_t kMaxQueuedFetches = 64;

}  // namespace

LogFetcher::LogFetcher(const wal::Log& log, Fetched fetched, Failed failed)
    : log_(log),
      fetched_(std::move(fetched)),
      failed_(std::move(failed)),
      queue_("fetch", kMaxQueuedFetches),
      thread_([this] { run(); }) {}

LogFetcher::~LogFetcher() { stop(); }

void LogFetcher::stop() {
  queue_.close();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void LogFetcher::run() {
  name_this_thread("fetch");
  while (true) {
    auto requests = queue_.pop_all();
    if (requests.empty()) {
      return;
    }
    for (raft::FetchRequest& request : requests) {
      auto entries = log_.read(request.first, request.max_size_bytes);
      if (!entries) {
        failed_("the log cannot be read: " + entries.error().describe());
        return;
      }
      fetched_(std::move(request), std::move(*entries));
    }
  }
}

}  // namespace parley::node
