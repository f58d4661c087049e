// ApiUnderTest: one way to call Parley's API at chosen nodes. The cases know no other, so that gRPC and
// whatever else carries the same messages run the same cases. Owned by: a test. One thread.
#pragma once

#include <google/protobuf/message.h>

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
