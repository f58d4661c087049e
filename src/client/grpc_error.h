// Private: a status of gRPC as an AttemptError. Owned by: nobody. Any thread.
#pragma once

#include <grpcpp/support/status.h>

#include "client/attempt.h"

namespace parley::client {

// `status` is not OK. ErrorInfo is looked for in its details (google.rpc.Status); without one the outcome is
// unknown and `reached` is maybe.
[[nodiscard]] AttemptError to_attempt_error(const grpc::Status& status);

}  // namespace parley::client
