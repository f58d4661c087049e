#include "raft/config.h"

namespace parley::raft {

std::expected<void, std::string> Config::validate() const {
  if (self.id.is_none() || self.incarnation.is_none())
    return std::unexpected("self: id and incarnation must not be 0");
  if (timing.heartbeat_ticks == 0) return std::unexpected("heartbeat_ticks must be at least 1");
  if (timing.election_timeout_ticks < 3 * timing.heartbeat_ticks) {
    return std::unexpected("election_timeout_ticks must be at least three times heartbeat_ticks");
  }
  if (flow.max_append_entries == 0 || flow.max_append_size_bytes == 0) {
    return std::unexpected("max_append_entries and max_append_size_bytes must be at least 1");
  }
  if (flow.max_inflight_appends == 0 || flow.max_inflight_bytes == 0) {
    return std::unexpected("max_inflight_appends and max_inflight_bytes must be at least 1");
  }
  if (flow.max_unapplied_bytes == 0) return std::unexpected("max_unapplied_bytes must be at least 1");
  if (flow.max_uncommitted_bytes == 0) return std::unexpected("max_uncommitted_bytes must be at least 1");
  return {};
}

}  // namespace parley::raft
