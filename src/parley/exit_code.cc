#include "parley/exit_code.h"

namespace parley::cli {

ExitCode exit_code_of(const base::Error& error) {
  if (error.is_final()) {
    return ExitCode::refused;
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
