// Which resuming watches are replayed by one scan that they share, and which apart. Pure. Owned by: nobody.
#pragma once

#include <cstddef>
#include <span>

#include "base/ids.h"

namespace parley::node {

// A scan by id steps over everybody's rows from the farthest cursor to `floor`; a replay apart seeks in the
// conversations of one account, which is worth `rows_apart` rows. `cursors`, ascending, are where the watches
// stand. Returns the first of those for which one scan costs no more than each apart; all before it are so
// far back that they are cheaper apart.
[[nodiscard]] std::size_t first_of_scan(std::span<const base::Position> cursors, base::Position floor,
                                        std::size_t rows_apart);

}  // namespace parley::node
