// Settings of gRPC and what it stands on. Owned by: nobody. Called once, by the program, before any other
// thread runs.
#pragma once

namespace parley::rpc {

// What they have to say goes where our log lines go. Their mutexes stop looking for deadlocks: Debian builds
// abseil with that on, and every lock that gRPC takes then goes through one graph behind one spin lock.
void prepare_libraries();

}  // namespace parley::rpc
