// Names of accounts: 1 to 32 of a-z 0-9 . _ -, upper case folded (design.md, Accounts). Owned by: nobody.
// Any thread.
#pragma once

#include <string>
#include <string_view>

namespace parley::chat {

// A-Z to a-z, everything else as it is.
[[nodiscard]] std::string fold_name(std::string_view text);

// Whether an already folded text is a name.
[[nodiscard]] bool is_name(std::string_view folded);

}  // namespace parley::chat
