// Steps along the log. Private to src/raft.
#pragma once

#include <cstddef>
#include <cstdint>

#include "raft/types.h"

namespace parley::raft {

[[nodiscard]] constexpr Index ahead(Index index, std::uint64_t by) { return Index(index.value() + by); }

// The index before; 0 stays 0.
[[nodiscard]] constexpr Index before(Index index) { return Index(index.is_none() ? 0 : index.value() - 1); }

// What an entry counts for in every limit: its bytes and what surrounds them.
inline constexpr std::size_t kEntryOverheadBytes = 48;
[[nodiscard]] inline std::size_t entry_size_bytes(const Entry& entry) {
  return entry.data.size_bytes() + kEntryOverheadBytes;
}

}  // namespace parley::raft
