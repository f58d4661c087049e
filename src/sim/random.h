// Rng: the seeded source of every choice in a run. The same on every machine: no std distribution.
// Owned by: whoever draws, by value; fork() gives a part its own, so that one part's draws do not shift
// another's. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ensure.h"

namespace parley::sim {

// Virtual time since the beginning of the run, and spans of it.
using Time = std::chrono::microseconds;
using Duration = std::chrono::microseconds;

// SplitMix64 (Steele, Lea, Flood 2014).
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31U);
  }

  // In [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    base::ensure(bound > 0, "a draw needs something to draw from");
    return next() % bound;
  }
  // In [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  Duration between(Duration low, Duration high) {
    const auto span = static_cast<std::uint64_t>((high - low).count());
    return low + Duration(static_cast<Duration::rep>(below(span + 1)));
  }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  bool coin() { return chance(50); }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(i)]);
    }
  }

  Rng fork() { return Rng(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace parley::sim
