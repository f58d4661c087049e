// Glob: a pattern over account names: * any run, ? any character, [a-z] one of, [!a-z] none of; upper case is
// folded as in names. Owned by: nobody, a value. Any thread.
#pragma once

#include <bitset>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace parley::chat {

class Glob {
 public:
  // At most kMaxGlobChars characters. The empty pattern matches every name. The error says what was wrong.
  [[nodiscard]] static std::expected<Glob, std::string> parse(std::string_view pattern);

  [[nodiscard]] bool matches(std::string_view name) const;
  // What every match begins with: bounds the names to look at.
  [[nodiscard]] const std::string& prefix() const { return prefix_; }

 private:
  // A name is ASCII, so a step is a set of bytes, or any run of bytes.
  struct Step {
    bool any_run = false;
    std::bitset<256> one_of;
  };
  Glob() = default;
  std::vector<Step> steps_;
  std::string prefix_;
};

}  // namespace parley::chat
