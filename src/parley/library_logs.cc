#include "parley/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <cstdlib>

namespace parley::cli {

void silence_libraries() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace parley::cli
