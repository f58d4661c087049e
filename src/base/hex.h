// Bytes as hexadecimal digits and back.
// Owned by: nobody. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace parley::base {

// Lower case, two digits a byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);

// Either case. Nothing if the length is odd or a character is no digit.
[[nodiscard]] std::optional<std::string> from_hex(std::string_view digits);

// 32 digits; the empty string for "none".
[[nodiscard]] std::string to_string(const ClusterId& id);
[[nodiscard]] std::optional<ClusterId> parse_cluster_id(std::string_view digits);

}  // namespace parley::base
