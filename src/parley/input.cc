#include "parley/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

std::unexpected<base::Error> invalid_input(const char* reason, const char* field, std::string limit,
                                           const std::string& what) {
  auto error = base::refused(base::Code::invalid_argument, reason, fmt::format("{}: {}", field, what));
  error.field = field;
  error.limit = std::move(limit);
  return std::unexpected(std::move(error));
}

base::Result<void> check_utf8(std::string_view text, const char* field, const std::string& limit,
                              const std::string& rule) {
  if (is_utf8(text)) {
    return {};
  }
  return invalid_input("INVALID_UTF8", field, limit, "this is not valid UTF-8; " + rule);
}

}  // namespace

base::Result<void> check_name(std::string_view name) {
  const std::string limit = fmt::format("1 to {} of a-z 0-9 . _ -", base::kMaxNameBytes);
  return check_utf8(name, "name", limit, "a name has " + limit);
}

base::Result<void> check_pattern(std::string_view pattern) {
  const std::string limit = fmt::format("{} characters", base::kMaxGlobChars);
  return check_utf8(pattern, "pattern", limit, "a pattern has at most " + limit);
}

base::Result<void> check_body(std::string_view body) {
  const std::string limit = fmt::format("1 to {} bytes", base::kMaxBodyBytes);
  if (body.size() > base::kMaxBodyBytes) {
    return invalid_input("INVALID_BODY", "body", limit,
                         fmt::format("a message has {}, this has more", limit));
  }
  return check_utf8(body, "body", limit, fmt::format("a message has {} of it", limit));
}

base::Result<void> check_password(std::string_view password) {
  const std::string limit = fmt::format("{} to {} bytes", base::kMinPasswordBytes, base::kMaxPasswordBytes);
  if (password.empty() || password.size() > base::kMaxPasswordBytes) {
    return invalid_input("INVALID_PASSWORD", "password", limit,
                         fmt::format("a password has {}, {}", limit,
                                     password.empty() ? "this one is empty" : "this has more"));
  }
  return check_utf8(password, "password", limit, fmt::format("a password has {} of it", limit));
}

bool can_be_sent_as_token(std::string_view token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace parley::cli
