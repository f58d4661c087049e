#include "node/reader_pool.h"

#include <utility>

#include "node/read_router.h"
#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::size_t kReadsPerSnapshot = 32;
// No reader holds a snapshot for more than 1 s; a single query is far shorter.
constexpr std::chrono::milliseconds kSnapshotTime{200};

}  // namespace

ReaderPool::ReaderPool(chat::StateOptions state, std::size_t threads, std::size_t capacity_reads,
                       const Freshness& freshness)
    : state_(std::move(state)), freshness_(freshness), queue_("reads", capacity_reads) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

ReaderPool::~ReaderPool() { stop(); }

void ReaderPool::submit(PendingRead read) {
  if (queue_.try_push(std::move(read))) {
    return;
  }
  fail(read, base::Code::resource_exhausted, "OVERLOADED",
       "This node is busy: too many reads wait for their turn.");
}

void ReaderPool::stop() {
  queue_.close();
  threads_.clear();
}

std::size_t ReaderPool::serve(chat::Reader& reader, const Freshness& freshness,
                              std::vector<PendingRead>& reads, std::size_t first) {
  const auto asked_at = freshness.asked_at();
  if (auto begun = reader.begin(); !begun) {
    fail(reads[first], base::Code::unavailable, "STATE_UNREADABLE",
         "This node's state cannot be read: " + begun.error().what);
    return first + 1;
  }
  const auto start = std::chrono::steady_clock::now();
  std::size_t next = first;
  auto now = start;
  while (next < reads.size() && now - start < kSnapshotTime && reads[next].needs <= reader.applied()) {
    PendingRead& read = reads[next++];
    if (read.deadline <= now) {
      fail(read, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The read was not answered in time.");
    } else {
      const AsOf as_of{.position = reader.applied(),
                       .age_ms = Freshness::age_ms(asked_at, now),
                       .cluster_id = reader.cluster_id()};
      read.done(&reader, as_of);
    }
    now = std::chrono::steady_clock::now();
  }
  reader.end();
  return next;
}

void ReaderPool::run() {
  name_this_thread("read");
  std::unique_ptr<chat::Reader> reader;
  while (true) {
    auto taken = queue_.pop_some(kReadsPerSnapshot);
    if (taken.empty()) {
      return;
    }
    std::vector<PendingRead> reads(std::make_move_iterator(taken.begin()),
                                   std::make_move_iterator(taken.end()));
    bool is_new = false;
    for (std::size_t next = 0; next < reads.size();) {
      if (!reader) {
        auto opened = chat::Reader::open(state_);
        if (!opened) {
          fail(reads[next++], base::Code::unavailable, "STATE_UNREADABLE",
               "This node's state cannot be read: " + opened.error().what);
          continue;
        }
        reader = std::move(*opened);
        is_new = true;
      }
      const std::size_t served = serve(*reader, freshness_, reads, next);
      if (served != next) {
        next = served;
      } else if (is_new) {
        fail(reads[next++], base::Code::unavailable, "STATE_UNREADABLE",
             "This node's state is being made again, and is not as far as this read needs.");
      } else {
        // What it reads is not what is applied: the file was replaced under it.
        reader.reset();
      }
    }
  }
}

}  // namespace parley::node
