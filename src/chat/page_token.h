// Private to chat: page tokens. A token is the key of the page's last row and a tag over cluster, caller and
// query, so that it is good for nothing else. Text form: base64url without padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "chat/token.h"

namespace parley::chat {

struct PageScope {
  TokenKey key;
  base::ClusterId cluster_id;
  std::string query;  // kind, caller and everything asked but the page itself
};

[[nodiscard]] std::string make_page_token(const PageScope& scope, std::string_view cursor);
// The cursor. Nothing: not a token of this scope.
[[nodiscard]] std::optional<std::string> open_page_token(const PageScope& scope, std::string_view token);

}  // namespace parley::chat
