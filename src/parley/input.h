// What people give, as far as it can be told to be wrong before a node is asked: bytes that no text of the
// API can carry, and what is cut off because it is far too long. Every other rule is the nodes' own. Owned
// by: nobody. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace parley::cli {

[[nodiscard]] base::Result<void> check_name(std::string_view name);
[[nodiscard]] base::Result<void> check_pattern(std::string_view pattern);
[[nodiscard]] base::Result<void> check_body(std::string_view body);
// Also that there is one at all: nobody has an empty password.
[[nodiscard]] base::Result<void> check_password(std::string_view password);

// Several times as long as a token is, and far less than a header takes.
inline constexpr std::size_t kMaxTokenBytes = 256;
// A token travels in a header, which carries less than a file may hold.
[[nodiscard]] bool can_be_sent_as_token(std::string_view token);

}  // namespace parley::cli
