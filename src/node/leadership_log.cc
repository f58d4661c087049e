#include "node/leadership_log.h"

namespace parley::node {
namespace {

constexpr std::size_t kKept = 20;

}  // namespace

void LeadershipLog::on_status(const LogStatus& status, std::int64_t wall_unix_ms, SteadyTime now) {
  if (!status.leader) {
    return;
  }
  if (!changes_.empty() && changes_.back().term == status.term.value()) {
    return;
  }
  LeaderChange change{.term = status.term.value(), .leader = status.leader->id, .at_unix_ms = wall_unix_ms};
  if (heard_at_) {
    const auto gap = std::chrono::duration_cast<std::chrono::milliseconds>(now - *heard_at_).count();
    change.gap_ms = static_cast<std::uint32_t>(gap);
  }
  heard_at_ = now;
  changes_.push_back(change);
  if (changes_.size() > kKept) {
    changes_.erase(changes_.begin());
  }
}

}  // namespace parley::node
