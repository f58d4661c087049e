// Private: a status of gRPC as an AttemptError. Owned by: nobody. Any thread.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "client/attempt.h"

namespace parley::client {

// `status` is not OK, and of `server`. ErrorInfo is looked for in its details (google.rpc.Status); without
// one the outcome is unknown and `reached` is maybe, unless the server says that it knows no such call.
[[nodiscard]] AttemptError to_attempt_error(const grpc::Status& status,
                                            const std::string& server = "the server");

}  // namespace parley::client
