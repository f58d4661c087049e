#include "node/cluster_clock.h"

#include <algorithm>
#include <vector>

#include "base/limits.h"

namespace parley::node {
namespace {

// What late answers to heartbeats may move an offset by. A clock is wrong for us where ids made by right ones
// would lie ahead of its window.
constexpr std::int64_t kOffsetsDiffer_ms = base::kMaxRequestIdAhead_ms / 2;

std::int64_t steady_ms(SteadyTime now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

}  // namespace

void ClusterClock::saw(const chat::Stamp& stamp) {
  if (stamp.cluster_time_ms > last_in_log_.cluster_time_ms) {
    last_in_log_ = stamp;
  }
}

void ClusterClock::became_leader(SteadyTime now) {
  leading_since_ = now;
  cluster_time_at_start_ms_ = last_in_log_.cluster_time_ms;
}

void ClusterClock::own_wall(std::int64_t unix_ms, SteadyTime now) {
  own_offset_ms_ = unix_ms - steady_ms(now);
}

void ClusterClock::voter_wall(base::NodeId voter, std::int64_t unix_ms, SteadyTime now) {
  voter_offsets_ms_[voter] = unix_ms - steady_ms(now);
}

void ClusterClock::leader_wall(std::int64_t unix_ms, SteadyTime now) {
  leader_offset_ms_ = unix_ms - steady_ms(now);
}

std::optional<std::int64_t> ClusterClock::median_offset_ms(SteadyTime now) const {
  std::vector<std::int64_t> offsets;
  if (own_offset_ms_) {
    offsets.push_back(*own_offset_ms_);
  }
  for (const auto& [voter, offset_ms] : voter_offsets_ms_) {
    offsets.push_back(offset_ms);
  }
  if (offsets.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(offsets);
  const std::int64_t lower = offsets[(offsets.size() - 1) / 2];
  // Of two in the middle (a node of three is dead) one may be the wrong one. The lower, unless the log is
  // clearly further already: then that clock is behind. A little further it always is, where one offset was
  // taken from a late answer: the upper, once taken, would be in the log and stay.
  const bool is_behind = steady_ms(now) + lower + kOffsetsDiffer_ms < last_in_log_.wall_unix_ms;
  return is_behind ? offsets[offsets.size() / 2] : lower;
}

chat::Stamp ClusterClock::stamp(SteadyTime now) const {
  return {.cluster_time_ms = cluster_time_ms(now), .wall_unix_ms = wall_unix_ms(now, true)};
}

std::int64_t ClusterClock::cluster_time_ms(SteadyTime now) const {
  const std::int64_t elapsed_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now - leading_since_).count();
  return std::max(last_in_log_.cluster_time_ms, cluster_time_at_start_ms_ + elapsed_ms);
}

std::int64_t ClusterClock::wall_unix_ms(SteadyTime now, bool is_leader) const {
  // A new leader that has heard no other clock yet goes on with what the last leader said.
  if (leader_offset_ms_ && (!is_leader || voter_offsets_ms_.empty())) {
    return steady_ms(now) + *leader_offset_ms_;
  }
  return steady_ms(now) + median_offset_ms(now).value_or(0);
}

}  // namespace parley::node
