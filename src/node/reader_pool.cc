#include "node/reader_pool.h"

#include <fmt/format.h>

#include <utility>

#include "node/read_router.h"
#include "node/state_origin.h"
#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::size_t kReadsPerSnapshot = 32;
// No reader holds a snapshot for more than 1 s; a single query is far shorter.
constexpr std::chrono::milliseconds kSnapshotTime{200};

}  // namespace

ReaderPool::ReaderPool(chat::StateOptions state, std::size_t threads, std::size_t capacity_reads,
                       const Freshness& freshness, const ApplyProgress& progress, IsInLog is_in_log)
    : state_(std::move(state)),
      freshness_(freshness),
      progress_(progress),
      is_in_log_(std::move(is_in_log)),
      queue_("reads", capacity_reads) {
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

void ReaderPool::expect_cluster(const base::ClusterId& cluster_id) {
  const std::scoped_lock lock(mutex_);
  cluster_id_ = cluster_id;
}

// While the state is broken the file is whatever somebody has put there.
chat::StateResult<std::unique_ptr<chat::Reader>> ReaderPool::open() const {
  auto opened = chat::Reader::open(state_);
  if (!opened) {
    return opened;
  }
  if (auto begun = (*opened)->begin(); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  (*opened)->end();
  const base::Position applied = (*opened)->applied();
  if (!is_in_log_(applied)) {
    return std::unexpected(chat::StateError{
        .what =
            fmt::format("it has applied entry {}, and this node's log does not go as far", applied.value())});
  }
  return opened;
}

bool ReaderPool::is_foreign(const chat::Reader& reader) const {
  const std::scoped_lock lock(mutex_);
  return is_of_another_cluster(reader.applied(), reader.cluster_id(), cluster_id_);
}

std::size_t ReaderPool::serve(chat::Reader& reader, std::vector<PendingRead>& reads, std::size_t first) {
  const auto asked_at = freshness_.asked_at();
  // Read after it: at least as far as what was learnt then speaks of.
  const base::Position was_readable(progress_.committed.load(std::memory_order_acquire));
  if (auto begun = reader.begin(); !begun) {
    fail(reads[first], base::Code::unavailable, "STATE_UNREADABLE",
         "This node's state cannot be read: " + begun.error().what);
    return first + 1;
  }
  if (is_foreign(reader) || reader.applied() < was_readable) {
    reader.end();
    return first;
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
                       .age_ms = freshness_.age_ms(asked_at),
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
  std::uint64_t opening = 0;
  while (true) {
    auto taken = queue_.pop_some(kReadsPerSnapshot);
    if (taken.empty()) {
      return;
    }
    if (const std::uint64_t newest = openings_.load(std::memory_order_acquire); newest != opening) {
      opening = newest;
      reader.reset();
    }
    std::vector<PendingRead> reads(std::make_move_iterator(taken.begin()),
                                   std::make_move_iterator(taken.end()));
    bool is_new = false;
    for (std::size_t next = 0; next < reads.size();) {
      if (!reader) {
        auto opened = open();
        if (!opened) {
          fail(reads[next++], base::Code::unavailable, "STATE_UNREADABLE",
               "This node's state cannot be read: " + opened.error().what);
          continue;
        }
        reader = std::move(*opened);
        is_new = true;
      }
      const std::size_t served = serve(*reader, reads, next);
      if (served != next) {
        next = served;
      } else if (is_new) {
        fail(reads[next++], base::Code::unavailable, "STATE_UNREADABLE",
             is_foreign(*reader)
                 ? "This node's state file is that of another cluster."
                 : "This node's state is being made again, and is not as far as this read needs.");
      } else {
        // What it reads is not what is applied: the file was replaced under it.
        reader.reset();
      }
    }
  }
}

}  // namespace parley::node
