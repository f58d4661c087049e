// Trace: what happened, as a hash (two runs of one seed must agree) and, if asked for, as lines on stdout.
// Owned by: the run. One thread.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string_view>

#include "raft/message.h"
#include "sim/random.h"

namespace parley::sim {

[[nodiscard]] inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6U) + (hash >> 2U);
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33U);
}
[[nodiscard]] std::uint64_t hash_of(std::string_view bytes);
[[nodiscard]] std::uint64_t hash_of(const raft::Entry& entry);
[[nodiscard]] std::uint64_t hash_of(const raft::Message& message);

class Trace {
 public:
  explicit Trace(bool prints) : prints_(prints) {}

  // `describe` makes the line, and is called only when lines are printed. `fingerprint` stands for it in the
  // hash.
  template <class Describe>
  void record(Time now, std::uint64_t fingerprint, const Describe& describe) {
    hash_ = mix(mix(hash_, static_cast<std::uint64_t>(now.count())), fingerprint);
    if (prints_) {
      print(now, describe());
    }
  }
  // A line that is its own fingerprint: for rare events.
  void note(Time now, std::string_view line);

  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  static void print(Time now, std::string_view line);

  bool prints_;
  std::uint64_t hash_ = 0;
};

}  // namespace parley::sim
