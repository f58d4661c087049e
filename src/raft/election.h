// Elections: pre-vote, vote, lease, transfer's target side (Raft thesis 3.4, 3.10, 9.6). Private to src/raft.
// Owned by: nobody, functions over a Machine. One thread.
#pragma once

#include <optional>

#include "raft/machine.h"

namespace parley::raft {

// Leaves whatever role there is. Reads that wait on it fail. A higher term forgets the vote.
void become_follower(Machine& machine, Term term, std::optional<Member> leader);

// Asks for pre-votes, if this node may lead at all; does nothing on a leader. While its disk is behind it
// waits, and tries again at every tick.
void campaign(Machine& machine);

// This node may become leader: it has state, is allowed to, and votes in its newest configuration or in one
// that this may still give way to.
[[nodiscard]] bool may_lead(const Machine& machine);

// A leader was heard within the election timeout (a leader itself: a quorum of its followers).
[[nodiscard]] bool lease_holds(const Machine& machine);
// Something of the core is not stored yet: until it is, campaign() does nothing but let the next tick try
// (R11).
[[nodiscard]] bool disk_is_behind(const Machine& machine);

// One tick of a node that does not lead.
void tick_election(Machine& machine);

void handle(Machine& machine, const Message& message, const PreVoteRequest& request);
void handle(Machine& machine, const Message& message, const PreVoteResponse& response);
void handle(Machine& machine, const Message& message, const VoteRequest& request);
void handle(Machine& machine, const Message& message, const VoteResponse& response);
void handle(Machine& machine, const Message& message, const TimeoutNow& request);

}  // namespace parley::raft
