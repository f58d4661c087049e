// What comes to the core thread, all through one queue, in the order of arrival.
// Owned by: the queue, then the core loop. Any thread makes them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "chat/reader.h"
#include "node/peer_message.h"
#include "node/pending.h"
#include "node/transport.h"
#include "raft/core.h"

namespace parley::node {

struct PeerSaid {
  raft::Member from;
  std::vector<PeerMessage> messages;  // that came together, in order
  Place place;                        // of them all, in the bounded number of messages that wait
};
struct HelloHeard {
  Hello hello;
  bool is_admitted = false;  // its messages are taken
};
struct LinkUp {
  raft::Member peer;
};
struct LinkDown {
  raft::Member peer;
  LinkLoss why;
};
struct Refused {
  base::NodeId by;
  std::string reason;
};
struct Persisted {
  std::uint64_t batch_number = 0;
};
struct Fetched {
  raft::FetchRequest request;
  std::vector<raft::Entry> entries;
};
// Committed, but this node cannot apply it.
struct GivenBack {
  std::vector<PendingWritePtr> writes;
  std::vector<RemoteWriter> remote;
};
// Empty: it can (again).
struct CannotApply {
  std::string why;
};
struct NodesKnown {
  std::vector<chat::NodeAddresses> nodes;
};
// Leadership is handed over, because this node is about to stop.
struct PrepareStop {};

using CoreEvent =
    std::variant<PendingWritePtr, PendingRead, PendingCallPtr, PeerSaid, HelloHeard, LinkUp, LinkDown,
                 Refused, Persisted, Fetched, GivenBack, CannotApply, NodesKnown, PrepareStop>;

}  // namespace parley::node
