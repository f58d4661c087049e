// Progress: what a leader knows of one peer's log, and how much it may send (etcd's probe, replicate,
// snapshot). Owned by: the leader's role, by value. One thread.
//
//   probe      the peer's log is unknown: one append at a time, until one fits
//   replicate  it fits: appends are sent on ahead of the answers, within the window
//   snapshot   what it needs is compacted: offers only, until an answer shows that it has caught up
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "raft/config.h"
#include "raft/types.h"

namespace parley::raft {

enum class ProgressState : std::uint8_t { probe, replicate, snapshot };

// The appends that are on their way to a peer.
class InflightWindow {
 public:
  void add(Index last, std::size_t size_bytes);
  // The peer has everything up to `match`.
  void free_up_to(Index match);
  void clear();
  [[nodiscard]] bool is_full(const FlowConfig& flow) const;
  [[nodiscard]] std::size_t count() const { return appends_.size(); }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
  bool operator==(const InflightWindow&) const = default;

 private:
  struct Append {
    Index last;
    std::size_t size_bytes = 0;
    bool operator==(const Append&) const = default;
  };
  std::deque<Append> appends_;
  std::size_t size_bytes_ = 0;
};

// Invariants: match < next; probe and snapshot have an empty window.
struct Progress {
  Member member;
  bool leaving =
      false;  // not in the configuration any more; is sent what is on its way until that is committed
  ProgressState state = ProgressState::probe;
  Index match;                      // the peer has stored the leader's log up to here
  Index next;                       // of the next append
  bool probe_sent = false;          // probe: an append is on its way
  bool unanswered = false;          // replicate: sent before the newest heartbeat, nothing acknowledged since
  bool wants_empty_append = false;  // an append without entries tells whether the peer has what was sent
  bool offered = false;             // snapshot: the offer is on its way
  InflightWindow window;
  Index sent_commit;                   // the newest commit that the peer was told
  std::uint64_t last_heard = 0;        // tick of the last answer of this term
  std::uint64_t acked_round = 0;       // newest heartbeat round that it answered
  bool fetching = false;               // entries for it are being read from disk
  std::uint64_t fetch_not_before = 0;  // tick; the last read found nothing

  [[nodiscard]] bool may_send(const FlowConfig& flow) const;
  void sent(Index last, std::size_t size_bytes);
  // The peer has stored up to `index`. True: that is news.
  bool acknowledge(Index index);
  // The peer's log did not fit at `rejected_prev`; try at `next_try`. False: an old answer.
  bool reject(Index rejected_prev, Index next_try);
  // A heartbeat is about to leave.
  void heartbeat_leaves();
  // The peer answers heartbeats: what it left unanswered may be lost and is asked about again.
  void recover();
  void become_probe(Index from);
  void become_replicate();
  void become_snapshot();
  bool operator==(const Progress&) const = default;
};

}  // namespace parley::raft
