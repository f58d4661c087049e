// RawApi: bytes as they are, to any method of one node, once. For input that no client library would send.
// Owned by: a test. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "tests/process/cluster.h"

namespace parley::testing {

class RawApi {
 public:
  virtual ~RawApi() = default;
  // "parley.v1.MessageService", "Watch". The answer's bytes, of a stream the first message's; nothing, where
  // it ended well without one.
  [[nodiscard]] virtual base::Result<std::string> call_bytes(const std::string& service,
                                                             const std::string& method,
                                                             const std::string& token,
                                                             const std::string& bytes,
                                                             std::chrono::milliseconds limit) = 0;
};

using RawApiFactory = std::function<std::unique_ptr<RawApi>(const Cluster&, int node)>;

[[nodiscard]] std::unique_ptr<RawApi> raw_grpc_api(const Cluster& cluster, int node);

}  // namespace parley::testing
