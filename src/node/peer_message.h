// PeerMessage: everything that nodes say to each other. Plain structs; peer_codec.h makes frames of bytes of
// them. Owned by: nobody, values. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/payload.h"
#include "chat/result.h"
#include "node/api_call.h"
#include "raft/message.h"
#include "raft/types.h"

namespace parley::node {

// One item of the `--cluster` list.
struct ListedNode {
  base::NodeId id;
  std::string peer_address;  // HOST:PORT
  bool operator==(const ListedNode&) const = default;
};

// Who speaks: the first message in each direction of every connection. Sent again when it changes, which it
// does once in a node's life: `cluster_id` goes from none (no entry 1 in the log: no state) to the cluster's.
struct Hello {
  base::ClusterId cluster_id;
  raft::Member self;
  std::string peer_address;  // where the sender can be reached; tried beside the addresses that are known
  std::vector<ListedNode> founders;  // the sender's `--cluster` list, sorted by id; empty: it was given none
  std::uint64_t process = 0;         // random at each start of the sender's process; 0: it does not say
  bool operator==(const Hello&) const = default;

  [[nodiscard]] bool has_state() const { return !cluster_id.is_none(); }
};

// Carries the wall clock of the sender with a HeartbeatResponse (0 otherwise): a leader stamps commands with
// the median of its last quorum round.
struct RaftMessage {
  raft::Message message;
  std::int64_t wall_unix_ms = 0;
  bool operator==(const RaftMessage&) const = default;
};

// Entry 1, from whoever holds it, to a node that it names and that has no state (rule 1).
struct FoundingOffer {
  raft::Founding founding;
  bool operator==(const FoundingOffer&) const = default;
};

// A write that a node takes to the leader. The same bytes are sent again after a change of leader (rule 6).
struct ForwardWrite {
  std::uint64_t forward_id =
      0;  // of the sender's present life; never used twice, not even for the same write
  std::uint32_t deadline_ms = 0;  // from receipt
  base::Payload command;
  bool operator==(const ForwardWrite&) const = default;
};

// Why the receiver of a ForwardWrite has no result. Both say: ask the present leader.
enum class ForwardFailure : std::uint8_t {
  not_proposed = 1,  // not the leader, or handing over: nothing happened
  lost = 2,          // was in the log of a leader that lost its term: it may still be committed
};
struct ForwardReply {
  std::uint64_t forward_id = 0;
  std::variant<ForwardFailure, chat::CommandResult, base::Error> answer = ForwardFailure::not_proposed;
  bool operator==(const ForwardReply&) const = default;
};

// A call of the API that a node whose state cannot be used takes to the leader (rule 16). The receiver
// answers it itself or not at all: it goes no further.
struct ForwardCall {
  std::uint64_t forward_id = 0;   // as that of ForwardWrite, counted apart
  std::uint32_t deadline_ms = 0;  // from receipt
  ApiCall call;
  bool operator==(const ForwardCall&) const = default;
};

// Why the receiver of a ForwardCall has no answer. Both say: ask the present leader.
enum class CallFailure : std::uint8_t {
  not_served = 1,  // not the leader, or its state cannot be used either: nothing happened
  lost = 2,        // the same, but a write of the call may have reached a log before
};
struct CallReply {
  std::uint64_t forward_id = 0;
  std::variant<CallFailure, base::Payload, base::Error> answer = CallFailure::not_served;
  bool operator==(const CallReply&) const = default;
};

using PeerMessage =
    std::variant<Hello, RaftMessage, FoundingOffer, ForwardWrite, ForwardReply, ForwardCall, CallReply>;

}  // namespace parley::node
