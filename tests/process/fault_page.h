// FaultPage: what a test tells the library that stands between a node and its system calls
// (fault_preload.cc), by a file that both have mapped. It changes while the node runs, and outlives it. Owned
// by: the test (NodeFaults). Any thread of either process.
#pragma once

#include <atomic>
#include <cstdint>

namespace parley::testing {

// What becomes of an fdatasync of a file of the log.
enum class LogSync : std::uint32_t {
  works = 0,
  fails = 1,   // EIO, as Linux does it: what was written is then held for clean, and is on no disk
  stalls = 2,  // until this changes
};

struct FaultPage {
  std::atomic<std::int64_t> wall_offset_ms;  // the node's wall clock is ahead by this
  std::atomic<LogSync> log_sync;
  std::atomic<std::uint32_t> is_stalled;  // a sync waits, since `log_sync` was set
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<LogSync>::is_always_lock_free);

inline constexpr const char* kFaultPageVariable = "PARLEY_TEST_FAULT_PAGE";
// A folder: what the disk still holds of each page of the log that was written and not yet synced.
inline constexpr const char* kUnsyncedVariable = "PARLEY_TEST_UNSYNCED";
inline constexpr std::uint64_t kFaultPageSize_bytes = 4096;

}  // namespace parley::testing
