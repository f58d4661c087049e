// Tally: whether a stream was given exactly what it should have been. Owned by: nobody, values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace parley::bench {

struct Tally {
  std::size_t missing = 0;
  std::size_t repeated = 0;    // given again, or behind something newer
  std::size_t unexpected = 0;  // given, and of nobody who sent
  [[nodiscard]] bool is_clean() const { return missing == 0 && repeated == 0 && unexpected == 0; }
  bool operator==(const Tally&) const = default;
};

// `expected`: rising. `given`: the positions of one stream's events, as they came.
[[nodiscard]] Tally compare(const std::vector<std::uint64_t>& expected,
                            const std::vector<std::uint64_t>& given);

}  // namespace parley::bench
