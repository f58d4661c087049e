#include "chat/names.h"

#include <algorithm>

#include "base/limits.h"

namespace parley::chat {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::string fold_name(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return folded;
}

bool is_name(std::string_view folded) {
  return !folded.empty() && folded.size() <= base::kMaxNameBytes && std::ranges::all_of(folded, is_name_char);
}

}  // namespace parley::chat
