#include "node/replay_plan.h"

namespace parley::node {

std::size_t first_of_scan(std::span<const base::Position> cursors, base::Position floor,
                          std::size_t rows_apart) {
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    if (cursors[i] >= floor || floor.value() - cursors[i].value() <= (cursors.size() - i) * rows_apart) {
      return i;
    }
  }
  return cursors.size();
}

}  // namespace parley::node
