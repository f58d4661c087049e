// The data folder before the node opens it. Owned by: nobody. One thread.
#pragma once

#include <expected>
#include <string>

#include "wal/file_system.h"

namespace parley::parleyd {

// Removes what a node keeps in `path`, for --reset. A folder that another process works on, or that holds
// anything else, is left as it is, and the error names what: it may be somebody's home.
[[nodiscard]] std::expected<void, std::string> empty_data_folder(wal::FileSystem& files,
                                                                 const std::string& path);

}  // namespace parley::parleyd
