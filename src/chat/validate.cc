#include "chat/validate.h"

#include <utf8proc.h>

#include <limits>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "chat/names.h"

namespace parley::chat {
namespace {

using base::Code;
using base::Error;

Error invalid(std::string reason, std::string_view field, std::string limit, std::string message) {
  Error error = base::refused(Code::invalid_argument, std::move(reason), std::move(message));
  error.field = field;
  error.limit = std::move(limit);
  return error;
}

}  // namespace

base::Result<std::string> check_name(std::string_view text, std::string_view field) {
  std::string folded = fold_name(text);
  if (!is_name(folded)) {
    return std::unexpected(invalid("INVALID_NAME", field, "1 to 32 of a-z 0-9 . _ -",
                                   std::string(field) + ": a name has 1 to 32 of a-z 0-9 . _ -"));
  }
  return folded;
}

base::Result<void> check_password(std::string_view text, std::string_view field) {
  if (text.size() < base::kMinPasswordBytes || text.size() > base::kMaxPasswordBytes) {
    return std::unexpected(
        invalid("INVALID_PASSWORD", field, "8 to 128 bytes",
                std::string(field) + ": a password has 8 to 128 bytes, not " + std::to_string(text.size())));
  }
  return {};
}

base::Result<void> check_body(std::string_view text, std::string_view field) {
  if (text.empty() || text.size() > base::kMaxBodyBytes) {
    return std::unexpected(
        invalid("INVALID_BODY", field, "1 to 16384 bytes",
                std::string(field) + ": a message has 1 to 16384 bytes, not " + std::to_string(text.size())));
  }
  if (!is_utf8(text)) {
    return std::unexpected(
        invalid("INVALID_UTF8", field, "valid UTF-8", std::string(field) + ": this is not valid UTF-8"));
  }
  return {};
}

base::Result<base::RequestId> check_request_id(std::string_view text, std::string_view field) {
  auto id = base::parse_request_id(text);
  if (!id) {
    return std::unexpected(invalid("INVALID_REQUEST_ID", field, "UUIDv7, 36 characters", id.error()));
  }
  return *id;
}

base::Result<std::vector<MessageId>> check_message_ids(std::span<const std::uint64_t> ids,
                                                       std::string_view field) {
  if (ids.empty() || ids.size() > base::kMaxIdsPerRequest) {
    return std::unexpected(
        invalid("INVALID_MESSAGE_IDS", field, "1 to 1000 ids",
                std::string(field) + ": a request has 1 to 1000 ids, not " + std::to_string(ids.size())));
  }
  std::vector<MessageId> checked;
  checked.reserve(ids.size());
  std::unordered_set<std::uint64_t> seen;
  for (const std::uint64_t id : ids) {
    // Positions are SQLite's integers, which are signed.
    if (id == 0 || id > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::unexpected(invalid("INVALID_MESSAGE_IDS", field, "1 to 2^63 - 1",
                                     std::string(field) + ": no message has the id " + std::to_string(id)));
    }
    if (seen.insert(id).second) {
      checked.emplace_back(id);
    }
  }
  return checked;
}

base::Result<Glob> check_glob(std::string_view pattern, std::string_view field) {
  auto glob = Glob::parse(pattern);
  if (!glob) {
    return std::unexpected(
        invalid("INVALID_PATTERN", field, "64 characters", std::string(field) + ": " + glob.error()));
  }
  return *std::move(glob);
}

base::Result<std::int32_t> check_page_size(std::int32_t page_size, std::string_view field) {
  if (page_size < 0) {
    return std::unexpected(
        invalid("INVALID_PAGE_SIZE", field, "1 to 500", std::string(field) + ": a page has 1 to 500 rows"));
  }
  if (page_size == 0) {
    return base::kDefaultPageSize;
  }
  return page_size < base::kMaxPageSize ? page_size : base::kMaxPageSize;
}

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left_bytes = static_cast<utf8proc_ssize_t>(text.size());
  while (left_bytes > 0) {
    if (*at < 0x80) {  // most text is ASCII, and every node checks every body again
      ++at;
      --left_bytes;
      continue;
    }
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t used_bytes = utf8proc_iterate(at, left_bytes, &code_point);
    if (used_bytes <= 0) {
      return false;
    }
    at += used_bytes;
    left_bytes -= used_bytes;
  }
  return true;
}

}  // namespace parley::chat
