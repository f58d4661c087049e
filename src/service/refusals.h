// What whoever carries requests to the service refuses in its words. Owned by: nobody. Any thread.
#pragma once

#include "base/error.h"

namespace parley::service {

// It would be too much together with what is under way: it was not done.
[[nodiscard]] base::Error overloaded();

}  // namespace parley::service
