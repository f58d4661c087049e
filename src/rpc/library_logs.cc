#include "rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

namespace parley::rpc {

void route_library_logs() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    if (args->severity == GPR_LOG_SEVERITY_ERROR) {
      spdlog::debug("grpc: {}", args->message);
    }
  });
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace parley::rpc
