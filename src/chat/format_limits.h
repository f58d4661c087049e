// The limits that apply uses beyond base/limits.h. Constants of the format: changing one changes what a log
// means, so nothing but a test opens a state with others. Owned by: nobody, constants. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/limits.h"

namespace parley::chat {

struct FormatLimits {
  std::int64_t max_results = base::kMaxResults;
  std::size_t forget_at_once = 64;  // results beyond max_results, with each new one
  std::size_t max_rows_per_command = base::kMaxRowsPerCommand;
  std::size_t max_peers_told_at_once = 400;            // that an account is gone
  std::int64_t max_events = 100'000;                   // rows of table event
  std::int64_t max_events_bytes = 64LL * 1024 * 1024;  // of their details
  std::size_t max_events_dropped_at_once = 400;
  std::uint64_t max_replay_positions = 1'000'000;  // a replay scans messages by id
};

}  // namespace parley::chat
