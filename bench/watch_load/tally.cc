#include "watch_load/tally.h"

#include <algorithm>

namespace parley::bench {

Tally compare(const std::vector<std::uint64_t>& expected, const std::vector<std::uint64_t>& given) {
  Tally tally;
  std::uint64_t newest = 0;
  std::size_t right = 0;
  for (const std::uint64_t position : given) {
    if (position <= newest) {
      ++tally.repeated;
    } else if (std::ranges::binary_search(expected, position)) {
      ++right;
    } else {
      ++tally.unexpected;
    }
    newest = std::max(newest, position);
  }
  tally.missing = expected.size() - right;
  return tally;
}

}  // namespace parley::bench
