#include "raft/ranked_campaign.h"

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
  for (const Member& voter : core.configuration().voters) {
    if (voter != lost) {
      ++left;
      rank += voter.id < core.config().self.id ? 1 : 0;
    }
  }
  due_us_ = now_us + rank * kRankStep_us + jitter_us();
  give_up_at_us_ = now_us + election_timeout_us_;
  next_wait_us_ = left * kRankStep_us;
  term_ = core.term();
}

bool RankedCampaign::take_turn(const Core& core, std::int64_t now_us) {
  if (!due_us_ || now_us < *due_us_) {
    return false;
  }
  if (core.leader() || now_us >= give_up_at_us_) {
    due_us_.reset();
    return false;
  }
  due_us_ = now_us + next_wait_us_ + jitter_us();
  next_wait_us_ *= 2;
  // A new term: somebody's election is under way, perhaps this node's own. It is seen out until the next
  // turn, which is ever further away: a slow disk gets to the end of it, and a split vote is ended.
  const bool is_disturbed = core.term() != term_;
  term_ = core.term();
  return !is_disturbed;
}

}  // namespace parley::raft
