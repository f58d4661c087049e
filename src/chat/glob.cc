#include "chat/glob.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/limits.h"
#include "chat/names.h"

namespace parley::chat {
namespace {

std::size_t count_chars(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::size_t byte_of(char c) { return static_cast<unsigned char>(c); }

// Of the set that opens at `at`: the index after its ']', or an error. A ']' right after the opening stands
// for itself, and so does a '-' at either end.
std::expected<std::size_t, std::string> parse_set(std::string_view text, std::size_t at,
                                                  std::bitset<256>& one_of) {
  ++at;
  const bool negated = at < text.size() && (text[at] == '!' || text[at] == '^');
  at += negated ? 1 : 0;
  const std::size_t first = at;
  while (at < text.size() && (text[at] != ']' || at == first)) {
    if (at + 2 < text.size() && text[at + 1] == '-' && text[at + 2] != ']') {
      if (byte_of(text[at]) > byte_of(text[at + 2])) {
        return std::unexpected("a range of the pattern runs backwards: " + std::string(text.substr(at, 3)));
      }
      for (std::size_t c = byte_of(text[at]); c <= byte_of(text[at + 2]); ++c) {
        one_of.set(c);
      }
      at += 3;
    } else {
      one_of.set(byte_of(text[at]));
      ++at;
    }
  }
  if (at == text.size()) {
    return std::unexpected("a '[' of the pattern is not closed");
  }
  if (negated) {
    one_of.flip();
  }
  return at + 1;
}

}  // namespace

std::expected<Glob, std::string> Glob::parse(std::string_view pattern) {
  if (count_chars(pattern) > base::kMaxGlobChars) {
    return std::unexpected("a pattern has at most " + std::to_string(base::kMaxGlobChars) + " characters");
  }
  const std::string text = fold_name(pattern);
  Glob glob;
  bool literal_so_far = true;
  for (std::size_t at = 0; at < text.size();) {
    Step step;
    const char c = text[at];
    if (c == '[') {
      const auto next = parse_set(text, at, step.one_of);
      if (!next) {
        return std::unexpected(next.error());
      }
      at = *next;
    } else {
      step.any_run = c == '*';
      if (c == '?') {
        step.one_of.set();
      } else {
        step.one_of.set(byte_of(c));
      }
      ++at;
    }
    literal_so_far = literal_so_far && c != '*' && c != '?' && c != '[';
    if (literal_so_far) {
      glob.prefix_.push_back(c);
    }
    glob.steps_.push_back(step);
  }
  if (glob.steps_.empty()) {
    glob.steps_.push_back({.any_run = true, .one_of = {}});
  }
  return glob;
}

bool Glob::matches(std::string_view name) const {
  std::size_t step = 0;
  std::size_t at = 0;
  // Where to go on when a step fails: after the last run, with one byte more in it.
  std::optional<std::size_t> retry_step;
  std::size_t retry_at = 0;
  while (at < name.size()) {
    if (step < steps_.size() && steps_[step].any_run) {
      retry_step = ++step;
      retry_at = at;
    } else if (step < steps_.size() && steps_[step].one_of.test(byte_of(name[at]))) {
      ++step;
      ++at;
    } else if (retry_step) {
      step = *retry_step;
      at = ++retry_at;
    } else {
      return false;
    }
  }
  while (step < steps_.size() && steps_[step].any_run) {
    ++step;
  }
  return step == steps_.size();
}

}  // namespace parley::chat
