// What cores say to each other. Plain structs; the transport binds a connection to the cluster id and to both
// ends' (id, incarnation), and encodes them. Owned by: nobody, values. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "raft/types.h"

namespace parley::raft {

// Raft thesis 9.6: asks without raising anybody's term.
struct PreVoteRequest {
  Term next_term;  // the term that the sender would campaign in
  Index last_index;
  Term last_term;
  bool operator==(const PreVoteRequest&) const = default;
};
struct PreVoteResponse {
  Term next_term;
  bool granted = false;
  bool operator==(const PreVoteResponse&) const = default;
};
struct VoteRequest {
  Index last_index;
  Term last_term;
  bool leadership_transfer =
      false;  // the leader itself asked for this election: its lease does not stand in the way
  bool operator==(const VoteRequest&) const = default;
};
struct VoteResponse {
  bool granted = false;
  bool operator==(const VoteResponse&) const = default;
};
struct AppendRequest {
  Index prev_index;
  Term prev_term;
  Index commit;
  std::vector<Entry> entries;
  bool operator==(const AppendRequest&) const = default;
};
// Sent only once everything up to match_index is on the sender's disk.
struct AppendResponse {
  bool rejected = false;
  Index match_index;    // accepted: the log agrees up to here and is stored
  Index rejected_prev;  // rejected: the prev_index that did not fit
  Index hint_index;     // rejected: try at or below here
  Term hint_term;       // rejected: the sender's term at hint_index
  bool operator==(const AppendResponse&) const = default;
};
// Keeps leadership and carries commit; needs no disk. `round` confirms leadership for reads (Raft
// thesis 6.4).
struct HeartbeatRequest {
  Index commit;             // at most what the receiver is known to have
  std::uint64_t round = 0;  // 0: only tells of the commit, no answer is wanted
  bool operator==(const HeartbeatRequest&) const = default;
};
struct HeartbeatResponse {
  std::uint64_t round = 0;  // 0: answers nothing, tells a leader of an older term that it is one
  bool operator==(const HeartbeatResponse&) const = default;
};
// A follower asks the leader for a position that a linearizable read must wait for.
struct ReadIndexRequest {
  std::uint64_t read_id = 0;  // of the asking node, unique in its life
  bool operator==(const ReadIndexRequest&) const = default;
};
struct ReadIndexResponse {
  std::uint64_t read_id = 0;
  std::optional<Index> index;  // nothing: ask again, this node cannot say
  bool operator==(const ReadIndexResponse&) const = default;
};
struct TimeoutNow {
  bool operator==(const TimeoutNow&) const = default;
};
// The follower needs what the leader's log no longer has. The snapshot itself travels beside the core.
struct SnapshotOffer {
  CompactionPoint point;
  bool operator==(const SnapshotOffer&) const = default;
};

using MessageBody = std::variant<PreVoteRequest, PreVoteResponse, VoteRequest, VoteResponse, AppendRequest,
                                 AppendResponse, HeartbeatRequest, HeartbeatResponse, ReadIndexRequest,
                                 ReadIndexResponse, TimeoutNow, SnapshotOffer>;

struct Message {
  Member from;
  Member to;
  Term term;  // of the sender when it was made
  MessageBody body;
  bool operator==(const Message&) const = default;
};

}  // namespace parley::raft
