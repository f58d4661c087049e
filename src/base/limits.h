// Every limit of Parley that a client can meet (design.md, sections 2 and 3). Those that apply uses are
// constants of the log's format version: changing one changes what a log means. Owned by: nobody, constants.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace parley::base {

// Accounts
inline constexpr std::size_t kMaxNameBytes = 32;
inline constexpr std::size_t kMinPasswordBytes = 8;
inline constexpr std::size_t kMaxPasswordBytes = 128;
inline constexpr std::size_t kMaxGlobChars = 64;
inline constexpr std::size_t kMaxGlobNamesLookedAt = 10'000;

// Sessions
inline constexpr std::size_t kMaxSessionsPerAccount = 20;
inline constexpr std::int64_t kSessionLifetime_ms = 30LL * 24 * 3600 * 1000;  // of cluster time

// Messages
inline constexpr std::size_t kMaxBodyBytes = 16'384;
inline constexpr std::size_t kMaxIdsPerRequest = 1'000;
inline constexpr std::size_t kMaxRowsPerCommand = 500;  // rule 9; a set of ids: its 1,000

// Pages
inline constexpr std::int32_t kDefaultPageSize = 50;
inline constexpr std::int32_t kMaxPageSize = 500;
inline constexpr std::size_t kMaxPageBytes = 1'048'576;

// Requests
inline constexpr std::size_t kMaxRequestBytes = 1'048'576;
inline constexpr std::int64_t kDefaultDeadline_ms = 10'000;
inline constexpr std::int64_t kMaxDeadline_ms = 60'000;
inline constexpr std::int64_t kNoLeaderAnswer_ms =
    2'000;  // with no leader for this long: UNAVAILABLE at once

// Results of writes, kept for retries
inline constexpr std::int64_t kResultLifetime_ms = 24LL * 3600 * 1000;  // of cluster time
inline constexpr std::int64_t kMaxResults = 20'000'000;
inline constexpr std::int64_t kMaxRequestIdAhead_ms = 60'000;

// Watches
inline constexpr std::int64_t kWatchHeartbeat_ms = 2'000;

}  // namespace parley::base
