// The configuration file of parleyd: TOML, the flags' names as keys. Owned by: nobody. One thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace parley::parleyd {

// The file as flags, "--key=value", in the order of their names. The error names the file, the line where
// there is one, and for an unknown key the nearest right one.
[[nodiscard]] std::expected<std::vector<std::string>, std::string> read_config_file(const std::string& path);

// Which of `words` is least unlike `word`.
[[nodiscard]] std::string_view nearest(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace parley::parleyd
