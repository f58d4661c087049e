// What a request must be, by itself: lengths, characters, counts (design.md, sections 2 and 3). Each error
// names the limit, with `field` and `limit` filled. Nothing here depends on state: these are the refusals
// that may come before the log (rule 5). Owned by: nobody. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/uuid7.h"
#include "chat/glob.h"
#include "chat/types.h"

namespace parley::chat {

// The folded name.
[[nodiscard]] base::Result<std::string> check_name(std::string_view text, std::string_view field = "name");
[[nodiscard]] base::Result<void> check_password(std::string_view text, std::string_view field = "password");
[[nodiscard]] base::Result<void> check_body(std::string_view text, std::string_view field = "body");
[[nodiscard]] base::Result<base::RequestId> check_request_id(std::string_view text,
                                                             std::string_view field = "request_id");
// 1 to kMaxIdsPerRequest ids that are not 0; each once in the result, in the order of the request.
[[nodiscard]] base::Result<std::vector<MessageId>> check_message_ids(std::span<const std::uint64_t> ids,
                                                                     std::string_view field = "message_ids");
[[nodiscard]] base::Result<Glob> check_glob(std::string_view pattern, std::string_view field = "pattern");
// The size to use: 0 is the default, above the maximum is the maximum, negative is an error.
[[nodiscard]] base::Result<std::int32_t> check_page_size(std::int32_t page_size,
                                                         std::string_view field = "page_size");

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace parley::chat
