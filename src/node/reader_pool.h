// ReaderPool: threads with a read-only connection each. Reads that wait together share one snapshot. Owned
// by: the replica. submit: any thread; callbacks run on the pool's threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "chat/reader.h"
#include "node/applier.h"
#include "node/freshness.h"
#include "node/pending.h"

namespace parley::node {

class ReaderPool {
 public:
  // Whether this node's log has this entry. Called on the pool's threads.
  using IsInLog = std::function<bool(base::Position)>;

  ReaderPool(chat::StateOptions state, std::size_t threads, std::size_t capacity_reads,
             const Freshness& freshness, const ApplyProgress& progress, IsInLog is_in_log);
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // The state that is readable now is good enough for this read. Full: it is answered RESOURCE_EXHAUSTED at
  // once.
  void submit(PendingRead read);
  // The log's cluster, once it is known: from then on another's state is not read.
  void expect_cluster(const base::ClusterId& cluster_id);
  // What the threads have open may be a file that is no longer the state's: every read that is handed over
  // from now on opens it anew.
  void state_reopened() { openings_.fetch_add(1, std::memory_order_release); }
  // Answers what is queued, then ends the threads.
  void stop();

 private:
  void run();
  // Not one that has run what this node's log does not have: it would satisfy whatever a read needs.
  [[nodiscard]] chat::StateResult<std::unique_ptr<chat::Reader>> open() const;
  // One snapshot for as many of `reads` as fit into its time, and up to the first that needs a newer one.
  // Returns where it ended.
  [[nodiscard]] std::size_t serve(chat::Reader& reader, std::vector<PendingRead>& reads, std::size_t first);
  [[nodiscard]] bool is_foreign(const chat::Reader& reader) const;

  const chat::StateOptions state_;
  const Freshness& freshness_;
  const ApplyProgress& progress_;
  const IsInLog is_in_log_;
  std::atomic<std::uint64_t> openings_{0};  // of the state by the apply thread
  mutable std::mutex mutex_;                // guards what follows
  base::ClusterId cluster_id_;
  base::BoundedQueue<PendingRead, base::Consumers::several> queue_;
  std::vector<std::jthread> threads_;
};

}  // namespace parley::node
