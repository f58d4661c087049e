// What gRPC and protobuf have to say goes where our log lines go. Owned by: nobody. Called once, by the
// program, before any other thread runs.
#pragma once

namespace parley::rpc {

// gRPC's errors as debug lines (garbage on a port is no trouble of ours), protobuf's not at all: a request
// that does not parse is told to whoever sent it.
void route_library_logs();

}  // namespace parley::rpc
