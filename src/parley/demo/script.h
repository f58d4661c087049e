// Script: the acts of `--auto`, one after the other, each when writes flow again after the one before.
// A value. Owned by: Demo.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "parley/demo/ack_times.h"
#include "parley/demo/acts.h"

namespace parley::demo {

// Through everything: two of five killed, one frozen, one cut off, all stopped.
inline constexpr const char* kWholeScript = "lkbbfbcbs";

class Script {
 public:
  // `keys` as a person would press them; quitting comes by itself at the end. The error names a key that is
  // none.
  [[nodiscard]] static std::expected<Script, std::string> parse(const std::string& keys,
                                                                std::chrono::milliseconds pause);

  // The act that is due. `is_calm`: writes are acknowledged, and nothing is being started.
  [[nodiscard]] std::optional<Act> due(Time now, bool is_calm);
  // It was done; otherwise it stays due.
  void done(Time now);
  // What comes next, for the screen. Nothing: it is over.
  [[nodiscard]] std::optional<Act> next() const;

 private:
  Script(std::vector<Act> acts, std::chrono::milliseconds pause) : acts_(std::move(acts)), pause_(pause) {}
  std::vector<Act> acts_;
  std::chrono::milliseconds pause_;
  std::size_t at_ = 0;
  std::optional<Time> last_;  // when the last act was done, or the script began
  std::optional<Time> calm_since_;
};

}  // namespace parley::demo
