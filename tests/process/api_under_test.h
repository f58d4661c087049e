// ApiUnderTest: one way to call Parley's API at chosen nodes. The cases know no other, so that gRPC and
// whatever else carries the same messages run the same cases. Owned by: a test. One thread.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/process/cluster.h"

namespace parley::testing {

class ApiUnderTest {
 public:
  virtual ~ApiUnderTest() = default;
  // `method`: "SendMessage". Tries again, as a client of Parley does, until it is answered: for a minute.
  [[nodiscard]] virtual base::Result<void> call(const std::string& method, const std::string& token,
                                                const google::protobuf::Message& request,
                                                google::protobuf::Message& response) = 0;
  // Bytes as they are, to any method, once: "parley.v1.MessageService", "Watch". The answer's bytes, of a
  // stream the first message's; nothing, where it ended well without one.
  [[nodiscard]] virtual base::Result<std::string> call_bytes(const std::string& service,
                                                             const std::string& method,
                                                             const std::string& token,
                                                             const std::string& bytes,
                                                             std::chrono::milliseconds limit) = 0;
};

// Calls that go to these nodes and no others.
using ApiFactory =
    std::function<std::unique_ptr<ApiUnderTest>(const Cluster&, const std::vector<int>& nodes)>;

[[nodiscard]] std::unique_ptr<ApiUnderTest> grpc_api(const Cluster& cluster, const std::vector<int>& nodes);
[[nodiscard]] std::unique_ptr<ApiUnderTest> connect_json_api(const Cluster& cluster,
                                                             const std::vector<int>& nodes);
[[nodiscard]] std::unique_ptr<ApiUnderTest> connect_proto_api(const Cluster& cluster,
                                                              const std::vector<int>& nodes);

}  // namespace parley::testing
