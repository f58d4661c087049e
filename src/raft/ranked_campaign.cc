#include "raft/ranked_campaign.h"

#include <algorithm>

namespace parley::raft {
namespace {

constexpr std::int64_t kRankStep_us = 5'000;
constexpr std::int64_t kJitter_us = 3'000;

}  // namespace

RankedCampaign::RankedCampaign(std::uint64_t seed, std::int64_t election_timeout_us)
    : election_timeout_us_(election_timeout_us), random_(static_cast<std::minstd_rand::result_type>(seed)) {}

std::int64_t RankedCampaign::jitter_us() {
  return std::uniform_int_distribution<std::int64_t>(0, kJitter_us)(random_);
}

void RankedCampaign::begin(const Core& core, const Member& lost, std::int64_t now_us) {
  // Among those that are left, in order of id.
  std::int64_t rank = 0;
  std::int64_t left = 0;
  const Configuration& configuration = core.configuration();
  for (const auto* voters : {&configuration.voters, &configuration.outgoing_voters}) {
    for (const Member& voter : *voters) {
      if (voter != lost) {
        ++left;
        rank += voter.id < core.config().self.id ? 1 : 0;
      }
    }
  }
  due_us_ = now_us + rank * kRankStep_us + jitter_us();
  last_turn_at_us_ = now_us + election_timeout_us_ + election_timeout_us_ / 10;
  next_wait_us_ = std::max<std::int64_t>(left, 1) * kRankStep_us;
  term_ = core.term();
}

bool RankedCampaign::take_turn(const Core& core, std::int64_t now_us) {
  if (!due_us_ || now_us < *due_us_) {
    return false;
  }
  if (core.leader()) {
    due_us_.reset();
    return false;
  }
  const bool is_last = now_us >= last_turn_at_us_;
  if (core.is_disk_behind() && !is_last) {
    due_us_ = now_us + kRankStep_us + jitter_us();  // what it has received or voted is not stored yet
    return false;
  }
  // A new term: somebody's election is under way, perhaps this node's own. It is seen out: a slow disk must
  // get to the end of it, while a split vote is still ended earlier than by the timeout.
  const bool is_disturbed = core.term() != term_;
  term_ = core.term();
  if (is_last) {
    due_us_.reset();
  } else {
    const std::int64_t wait_us =
        is_disturbed ? std::max(next_wait_us_, election_timeout_us_ / 2) : next_wait_us_;
    due_us_ = std::min(now_us + wait_us, last_turn_at_us_) + jitter_us();
    next_wait_us_ *= 2;
  }
  return !is_disturbed;
}

}  // namespace parley::raft
