#include "base/error.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace parley::base {
namespace {

constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

Error make(Code code, Outcome outcome, std::string reason, std::string message) {
  Error error;
  error.code = code;
  error.outcome = outcome;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

}  // namespace

Error refused(Code code, std::string reason, std::string message) {
  return make(code, Outcome::refused, std::move(reason), std::move(message));
}

Error outcome_unknown(Code code, std::string reason, std::string message) {
  return make(code, Outcome::unknown, std::move(reason), std::move(message));
}

std::string to_string(Code code) {
  const auto number = static_cast<std::size_t>(code);
  if (number < kCodeNames.size()) {
    return std::string(kCodeNames[number]);
  }
  return "CODE_" + std::to_string(number);
}

}  // namespace parley::base
