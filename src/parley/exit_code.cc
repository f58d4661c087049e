#include "parley/exit_code.h"

#include <utility>

namespace parley::cli {
namespace {

constexpr const char* kUsageReason = "USAGE";

}  // namespace

base::Error usage_error(std::string what) {
  return base::refused(base::Code::invalid_argument, kUsageReason, std::move(what));
}

ExitCode exit_code_of(const base::Error& error) {
  if (error.is_final()) {
    return ExitCode::refused;
  }
  if (error.reason == kUsageReason) {
    return ExitCode::usage;
  }
  switch (error.code) {
    case base::Code::unavailable:
    case base::Code::deadline_exceeded:
    case base::Code::aborted:
    case base::Code::cancelled:
      return ExitCode::unavailable;
    case base::Code::resource_exhausted:  // overload; a limit of the request itself names its field
      return error.field.empty() ? ExitCode::unavailable : ExitCode::refused;
    default:
      return ExitCode::refused;
  }
}

}  // namespace parley::cli
