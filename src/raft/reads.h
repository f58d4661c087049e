// Read barriers at work: from read() to Output::reads, on the leader and through a follower. The book-keeping
// and why it is safe: read_index.h. Private to src/raft.
// Owned by: nobody, functions over a Machine. One thread.
#pragma once

#include "raft/machine.h"

namespace parley::raft {

void start_read(Machine& machine, std::uint64_t read_id);
// The role is about to end: everything that waits on it is answered "ask again".
void fail_reads(Machine& machine);
// Leader: releases what a quorum has confirmed.
void release_confirmed_reads(Machine& machine);
// Follower: asks the leader for what has come in; called once per output.
void request_reads(Machine& machine);
// Follower: asks again what was not answered, gives up in the end.
void tick_reads(Machine& machine);

void handle(Machine& machine, const Message& message, const ReadIndexRequest& request);
void handle(Machine& machine, const Message& message, const ReadIndexResponse& response);

}  // namespace parley::raft
