#include "service/refusals.h"

namespace parley::service {

base::Error overloaded() {
  auto error = base::refused(base::Code::resource_exhausted, "OVERLOADED",
                             "This node has too many requests under way; try again or try another node.");
  error.retry_after_ms = 100;
  return error;
}

base::Error stream_too_slow() {
  auto error = base::refused(base::Code::resource_exhausted, "STREAM_TOO_SLOW",
                             "The stream was cut off because its events were not read in time; "
                             "watch again from the last position.");
  error.limit = "a bounded queue of events";
  return error;
}

}  // namespace parley::service
