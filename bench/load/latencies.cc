#include "load/latencies.h"

#include <algorithm>

namespace parley::bench {

double Latencies::quantile_ms(double q) const {
  if (durations_.empty()) {
    return 0;
  }
  const auto at = static_cast<std::size_t>(q * static_cast<double>(durations_.size() - 1));
  const auto nth = durations_.begin() + static_cast<std::ptrdiff_t>(at);
  std::ranges::nth_element(durations_, nth);
  return std::chrono::duration<double, std::milli>(*nth).count();
}

}  // namespace parley::bench
