// Replication: what a leader does with its log and its peers, and what a follower does with appends,
// heartbeats and snapshot offers (Raft thesis 3.5, 3.6, 4, 10.2). Private to src/raft.
// Owned by: nobody, functions over a Machine. One thread.
#pragma once

#include <expected>
#include <string>

#include "raft/machine.h"

namespace parley::raft {

// The election is won.
void start_leading(Machine& machine);

[[nodiscard]] bool quorum_is_in_touch(const Machine& machine, const Leader& leader);
// An entry of the leader's own term is committed.
[[nodiscard]] bool term_has_commit(const Machine& machine, const Leader& leader);

[[nodiscard]] std::expected<Index, ProposeError> propose_command(Machine& machine, Payload data);
[[nodiscard]] std::expected<Index, std::string> propose_change(Machine& machine, const Configuration& target);
void transfer(Machine& machine, const Member& target);

// Counts what a quorum has stored; what follows from a new commit index.
void advance_commit(Machine& machine);
// Appends, offers, reads' rounds and commit notices that are due; called once per output.
void replicate(Machine& machine);
void tick_leader(Machine& machine);
// A heartbeat to every peer with a new number; reads that wait for a round have it.
void start_heartbeat_round(Machine& machine, Leader& leader);

// Entries from disk for a peer that lags.
void send_fetched(Machine& machine, const FetchRequest& request, std::vector<Entry> entries);

void handle(Machine& machine, const Message& message, const AppendRequest& request);
void handle(Machine& machine, const Message& message, const AppendResponse& response);
void handle(Machine& machine, const Message& message, const HeartbeatRequest& request);
void handle(Machine& machine, const Message& message, const HeartbeatResponse& response);
void handle(Machine& machine, const Message& message, const SnapshotOffer& offer);

}  // namespace parley::raft
