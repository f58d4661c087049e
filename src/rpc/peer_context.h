// What links and accepted streams of one transport share. Private to rpc. Owned by: PeerTransport. The loop's
// thread, but for what says otherwise.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "node/transport.h"
#include "rpc/completion_loop.h"
#include "rpc/peer_transport.h"

namespace parley::rpc {

struct PeerContext {
  PeerTransportOptions options;
  std::shared_ptr<CompletionLoop> loop;
  node::Hello hello;
  node::PeerHandler* handler = nullptr;  // none: not started
  bool stopping = false;                 // no operation is begun any more
  std::shared_ptr<void> alive;           // kept by all that uses this context; gone: it may be destroyed
  std::set<std::string> told;            // troubles that were logged; each once

  // Logs a trouble the first time it is met.
  void tell_once(const std::string& trouble);
};

inline constexpr const char* kPeerServiceName = "parley.internal.v1.PeerService";
inline constexpr const char* kPeerMethodName = "Stream";

}  // namespace parley::rpc
