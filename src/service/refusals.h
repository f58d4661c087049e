// What whoever carries requests to the service refuses in its words. Owned by: nobody. Any thread.
#pragma once

#include "base/error.h"

namespace parley::service {

// It would be too much together with what is under way: it was not done.
[[nodiscard]] base::Error overloaded();

// The end of a stream whose reader does not keep up.
[[nodiscard]] base::Error stream_too_slow();

}  // namespace parley::service
