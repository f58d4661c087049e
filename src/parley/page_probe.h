// Which of some HTTP addresses serve Parley's page, asked all at once, without a login. Owned by: nobody. The
// main thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/address.h"

namespace parley::cli {

// The first that is ready (it has a leader and is in touch with a majority), or else the first that is alive;
// its index. Anything but a node of Parley is passed over. Nothing: none answered within `limit`.
[[nodiscard]] std::optional<std::size_t> find_page(const std::vector<base::Address>& candidates,
                                                   std::chrono::milliseconds limit);

}  // namespace parley::cli
