// ClusterClock: the two times of a leader's stamp (design.md, Time). Passive: told what was heard and what
// time it is.
//
// Cluster time goes on from the last one that this node has seen in its log, plus this node's own monotonic
// time since it became leader; no wall clock can move it. The wall time is the median over the wall clocks of
// the voters, each kept as its offset from this node's monotonic clock when it was last heard; until others
// were heard, this node's own (or, after a change of leader, what the last leader said). Owned by: the core
// loop. Core thread alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"
#include "chat/types.h"
#include "node/steady_time.h"

namespace parley::node {

class ClusterClock {
 public:
  explicit ClusterClock(chat::Stamp last_in_log) : last_in_log_(last_in_log) {}

  // A stamp in an entry that this node has in its log, of another leader or its own.
  void saw(const chat::Stamp& stamp);
  void became_leader(SteadyTime now);
  // This node's own wall clock, read at `now`.
  void own_wall(std::int64_t unix_ms, SteadyTime now);
  // A voter's wall clock, as its heartbeat's answer carried it.
  void voter_wall(base::NodeId voter, std::int64_t unix_ms, SteadyTime now);
  // The leader's median, as its heartbeat carried it.
  void leader_wall(std::int64_t unix_ms, SteadyTime now);

  // For one command that the leader proposes now; kept once saw() is told of it, since the log may refuse it.
  // Cluster time never goes back.
  [[nodiscard]] chat::Stamp stamp(SteadyTime now) const;
  [[nodiscard]] std::int64_t cluster_time_ms(SteadyTime now) const;
  // How much of it a change of leader would lose now: what has passed since the last stamp in the log.
  [[nodiscard]] std::int64_t unstamped_ms(SteadyTime now) const {
    return cluster_time_ms(now) - last_in_log_.cluster_time_ms;
  }
  // The leader: the median. Others: what the leader last said; before that, this node's own clock.
  [[nodiscard]] std::int64_t wall_unix_ms(SteadyTime now, bool is_leader) const;

 private:
  [[nodiscard]] std::optional<std::int64_t> median_offset_ms(SteadyTime now) const;

  chat::Stamp last_in_log_;
  SteadyTime leading_since_;
  std::int64_t cluster_time_at_start_ms_ = 0;
  std::optional<std::int64_t> own_offset_ms_;
  std::optional<std::int64_t> leader_offset_ms_;
  std::map<base::NodeId, std::int64_t> voter_offsets_ms_;
};

}  // namespace parley::node
