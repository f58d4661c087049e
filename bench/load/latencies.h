// Latencies: collects durations and gives quantiles.
// Owned by: the thread that measures.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace parley::bench {

class Latencies {
 public:
  void add(std::chrono::nanoseconds duration) { durations_.push_back(duration); }
  [[nodiscard]] std::size_t count() const { return durations_.size(); }
  // `q` from 0 to 1. Zero if nothing was added.
  [[nodiscard]] double quantile_ms(double q) const;

 private:
  mutable std::vector<std::chrono::nanoseconds> durations_;
};

}  // namespace parley::bench
