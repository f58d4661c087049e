// Private to node: a point of the monotonic clock, which no one sets.
#pragma once

#include <chrono>

namespace parley::node {

using SteadyTime = std::chrono::steady_clock::time_point;

}  // namespace parley::node
