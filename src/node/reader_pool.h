// ReaderPool: threads with a read-only connection each. Reads that wait together share one snapshot. Owned
// by: the replica. submit: any thread; callbacks run on the pool's threads.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "chat/reader.h"
#include "node/freshness.h"
#include "node/pending.h"

namespace parley::node {

class ReaderPool {
 public:
  ReaderPool(chat::StateOptions state, std::size_t threads, std::size_t capacity_reads,
             const Freshness& freshness);
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // The state that is readable now is good enough for this read. Full: it is answered RESOURCE_EXHAUSTED at
  // once.
  void submit(PendingRead read);
  // Answers what is queued, then ends the threads.
  void stop();

 private:
  void run();
  // One snapshot for as many of `reads` as fit into its time, and up to the first that needs a newer one.
  // Returns where it ended.
  static std::size_t serve(chat::Reader& reader, const Freshness& freshness, std::vector<PendingRead>& reads,
                           std::size_t first);

  const chat::StateOptions state_;
  const Freshness& freshness_;
  base::BoundedQueue<PendingRead, base::Consumers::several> queue_;
  std::vector<std::jthread> threads_;
};

}  // namespace parley::node
