#include "rpc/libraries.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

namespace parley::rpc {
namespace {

// gRPC's errors become debug lines (garbage on a port is no trouble of ours), protobuf's nothing at all: a
// request that does not parse is told to whoever sent it.
void route_library_logs() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    if (args->severity == GPR_LOG_SEVERITY_ERROR) {
      spdlog::debug("grpc: {}", args->message);
    }
  });
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace

void prepare_libraries() {
  route_library_logs();
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace parley::rpc
