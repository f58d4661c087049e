// Read barriers (Raft thesis 6.4): at which index a linearizable read may be answered, and when that is
// known. Owned by: LeaderReads by the leader's role, FollowerReads by the follower's, by value. One thread.
//
// Why an answer is never stale:
//   1. A read is given the commit index that the leader has when the read's round starts, which is after the
//      read arrived, and never before an entry of the leader's own term is committed.
//   2. The round's number goes out in heartbeats only after that. A peer answers it only in the leader's
//   term.
//   3. So a quorum of answers shows that at a moment after the read arrived nobody led a newer term with a
//      quorum: whatever was acknowledged before the read began is at or below its index.
// A lost round is made good by the next heartbeat's, whose number is higher; an answer to it confirms all
// before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "raft/types.h"

namespace parley::raft {

// A follower's request, to be answered over the network.
struct RemoteRead {
  Member from;
  std::uint64_t read_id = 0;
  bool operator==(const RemoteRead&) const = default;
};

// Reads that share one round.
struct ReadBatch {
  std::uint64_t round = 0;
  Index index;
  std::vector<std::uint64_t> local;
  std::vector<RemoteRead> remote;
  bool operator==(const ReadBatch&) const = default;
};

class LeaderReads {
 public:
  void add_local(std::uint64_t read_id);
  // A repeated request is one read.
  void add_remote(const RemoteRead& read);

  // Reads wait for a round, and none of their own is under way.
  [[nodiscard]] bool wants_round() const;
  // Heartbeats with this number are about to leave: what waits for a round has it.
  void start_round(std::uint64_t round, Index commit);
  // A quorum has answered up to this round.
  [[nodiscard]] std::vector<ReadBatch> confirm(std::uint64_t round);
  // Leadership is over: everything that is unanswered.
  [[nodiscard]] std::vector<ReadBatch> fail_all();

  [[nodiscard]] std::size_t pending() const { return pending_; }
  bool operator==(const LeaderReads&) const = default;

 private:
  ReadBatch fresh_;
  std::deque<ReadBatch> rounds_;
  std::size_t pending_ = 0;
};

// One request to the leader stands for all reads that waited; the next waits for its answer.
class FollowerReads {
 public:
  void add(std::uint64_t read_id) { fresh_.push_back(read_id); }

  struct Request {
    std::uint64_t wire_id = 0;
    std::uint64_t asked_at = 0;  // tick of the first attempt
    std::uint64_t sent_at = 0;   // tick of the newest attempt
    std::vector<std::uint64_t> reads;
    bool operator==(const Request&) const = default;
  };
  [[nodiscard]] bool wants_request() const { return !fresh_.empty() && !asked_; }
  void start_request(std::uint64_t wire_id, std::uint64_t now);
  [[nodiscard]] std::optional<Request>& asked() { return asked_; }
  [[nodiscard]] const std::optional<Request>& asked() const { return asked_; }
  // The reads that an answer is for; none if it is not for the request under way.
  [[nodiscard]] std::vector<std::uint64_t> answered(std::uint64_t wire_id);
  [[nodiscard]] std::vector<std::uint64_t> fail_all();

  [[nodiscard]] std::size_t pending() const { return fresh_.size() + (asked_ ? asked_->reads.size() : 0); }
  bool operator==(const FollowerReads&) const = default;

 private:
  std::vector<std::uint64_t> fresh_;
  std::optional<Request> asked_;
};

}  // namespace parley::raft
