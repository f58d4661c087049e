// How much a build can afford: sanitizers are slow, and look for other mistakes than the checks do.
// Owned by: nobody. Any thread.
#pragma once

#include <cstdint>

namespace parley::sim {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PARLEY_SIM_SLOW_BUILD
#endif
#endif

#ifdef PARLEY_SIM_SLOW_BUILD
inline constexpr std::uint64_t kSeeds = 30;
inline constexpr bool kDemandsEveryFault = false;  // too few seeds for the rare ones
#else
inline constexpr std::uint64_t kSeeds = 300;
inline constexpr bool kDemandsEveryFault = true;
#endif

}  // namespace parley::sim
