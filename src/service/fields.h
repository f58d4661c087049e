// Small things that every handler needs: the refusals of fields, and commands with their digests. Private to
// service. Owned by: nobody. Any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/limits.h"
#include "chat/command.h"
#include "chat/request_digest.h"
#include "service/call.h"

namespace parley::service {

// True: one of the results is an error, and the call has ended with the first such.
template <class... Results>
[[nodiscard]] bool refused_any(CallBase& call, const Results&... results) {
  bool refused = false;
  const auto look = [&](const auto& result) {
    if (!refused && !result) {
      call.fail(result.error());
      refused = true;
    }
  };
  (look(results), ...);
  return refused;
}

// A command with the digest of its content.
template <class Command>
[[nodiscard]] chat::Command sealed(Command command) {
  chat::Command result(std::move(command));
  std::get<Command>(result).request.content_digest = chat::content_digest(result);
  return result;
}

// Ids are positions: what lies beyond is none of anything. 0 is for the caller to judge.
[[nodiscard]] inline base::Result<void> check_id(std::string_view field, std::uint64_t id) {
  if (id <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return {};
  }
  auto error = base::refused(base::Code::invalid_argument, "INVALID_ID",
                             std::string(field) + ": an id is at most 2^63 - 1, not " + std::to_string(id));
  error.field = field;
  error.limit = "0 to 2^63 - 1";
  return std::unexpected(std::move(error));
}

// Refuses what chat would silently cut down to its maximum.
[[nodiscard]] inline base::Result<void> check_page_size(std::int32_t page_size) {
  if (page_size >= 0 && page_size <= base::kMaxPageSize) {
    return {};
  }
  auto error = base::refused(base::Code::invalid_argument, "INVALID_PAGE_SIZE",
                             "page_size: a page has 1 to " + std::to_string(base::kMaxPageSize) +
                                 " rows, not " + std::to_string(page_size) + " (0: the default, " +
                                 std::to_string(base::kDefaultPageSize) + ")");
  error.field = "page_size";
  error.limit = "1 to " + std::to_string(base::kMaxPageSize);
  return std::unexpected(std::move(error));
}

}  // namespace parley::service
