// Durability: which storage batches are under way, and the messages that wait for one of them (Raft thesis
// 3.8, 10.2.1). Owned by: the core, by value. One thread.
//
// Why batches are numbered (the ABA race of asynchronous writes, etcd's scripts):
//   1. Batch 1 takes entry 5 of term 1 to the disk, which is slow.
//   2. A leader of term 2 overrides entry 5: batch 2.
//   3. A leader of term 3 overrides it again: batch 3.
//   4. Batch 1 is reported stored. "Entry 5 is stored" would be true of an entry that the log no longer has,
//      and an answer that says so could commit an entry that no disk holds.
// So an override lowers what the batches before it count for, and a batch is known by its number, not by
// index and term.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "raft/message.h"
#include "raft/types.h"

namespace parley::raft {

// Both say "stored up to here" to the same node in the same term, and the later one says it all; or both say
// no more than the term.
[[nodiscard]] bool says_it_all(const Message& later, const Message& earlier);

class Durability {
 public:
  // The number of a new batch; `last` is the log's end once it is stored.
  [[nodiscard]] std::uint64_t start_batch(Index last);
  // The suffix from `index` on was overridden in the log.
  void truncate_from(Index index);
  // The batch and all before it are stored. The answer: how far the log as it is now is on disk by them;
  // nothing: the number was reported before.
  [[nodiscard]] std::optional<Index> finish_batch(std::uint64_t number);

  // Keeps a message until everything decided so far is stored: the next batch if `needs_batch` (something is
  // still to be handed over), else the last one. An answer that appends were stored takes the place of an
  // older one that waits for the same.
  void hold(Message message, bool needs_batch);
  // Messages whose batch is stored, in order.
  [[nodiscard]] std::vector<Message> release();
  // A new term: what waits was said in an older one.
  void drop_held() { held_.clear(); }

  [[nodiscard]] std::uint64_t last_batch() const { return last_batch_; }
  [[nodiscard]] std::uint64_t finished_batch() const { return finished_batch_; }

  bool operator==(const Durability&) const = default;

 private:
  struct Batch {
    std::uint64_t number = 0;
    Index last;
    bool operator==(const Batch&) const = default;
  };
  struct Held {
    std::uint64_t batch = 0;
    Message message;
    bool operator==(const Held&) const = default;
  };
  std::uint64_t last_batch_ = 0;
  std::uint64_t finished_batch_ = 0;
  std::deque<Batch> under_way_;
  std::deque<Held> held_;
};

}  // namespace parley::raft
