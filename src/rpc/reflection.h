// Reflection: gRPC's reflection protocol on our own completion queues, so that grpcurl and its like can list
// and call what is served. gRPC's plugin is a synchronous service: its threads would poll the same sockets as
// ours, read for them and hand over. Private to rpc. Owned by: the server. begin: once the server is built.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "rpc/raw_service.h"

namespace parley::rpc {

struct CallHome;

class Reflection {
 public:
  // Before the server is built: its method goes into `raw`. `services`: the names to be listed, besides its
  // own.
  Reflection(RawService& raw, std::set<std::string, std::less<>> services, std::size_t max_streams);

  // Accepts calls on the home's loop, one after the other's beginning, for ever. The loop must not have been
  // started, or be the calling thread's.
  void begin(const CallHome& home);

  // The answer to one encoded ServerReflectionRequest; nothing: it does not parse.
  [[nodiscard]] std::optional<std::string> answer(std::string_view request) const;

 private:
  class Call;

  RawService& raw_;
  std::set<std::string, std::less<>> services_;
  const std::size_t max_streams_;
  std::size_t streams_ = 0;  // the loop's thread alone
  int method_index_ = 0;
};

}  // namespace parley::rpc
