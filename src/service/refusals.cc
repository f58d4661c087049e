#include "service/refusals.h"

namespace parley::service {

base::Error overloaded() {
  auto error = base::refused(base::Code::resource_exhausted, "OVERLOADED",
                             "This node has too many requests under way; try again or try another node.");
  error.retry_after_ms = 100;
  return error;
}

}  // namespace parley::service
