// The word for a request that is larger than any may be, the same wherever it is met: at a client, which does
// not send it, and at a node, by whoever carries it. Owned by: nobody. Any thread.
#pragma once

#include <cstddef>
#include <optional>

#include "base/error.h"

namespace parley::base {

// Beyond kMaxRequestBytes: INVALID_ARGUMENT, REQUEST_TOO_LARGE, refused. No size: it is not known how large.
[[nodiscard]] Error request_too_large(std::optional<std::size_t> size_bytes);

}  // namespace parley::base
