// Random: seeded, small, a value (SplitMix64), the same on every machine. Not for secrets.
// Owned by: whoever holds it. One thread.
#pragma once

#include <cstdint>

namespace parley::raft {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
    return mixed ^ (mixed >> 31U);
  }

  // In [0, bound); `bound` is at least 1.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  bool operator==(const Random&) const = default;

 private:
  std::uint64_t state_;
};

}  // namespace parley::raft
