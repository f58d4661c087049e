// The data folder before the node opens it. Owned by: nobody. One thread.
#pragma once

#include <expected>
#include <string>

namespace parley::parleyd {

// Removes what a node keeps in `path`, for --reset. A folder that holds anything else is left as it is, and
// the error names what: it may be somebody's home.
[[nodiscard]] std::expected<void, std::string> empty_data_folder(const std::string& path);

}  // namespace parley::parleyd
