#include "raft/fitness.h"

#include <algorithm>

namespace parley::raft {
namespace {

// The voters that a leader is in touch with.
std::vector<PeerStatus> voters_in_touch(const Status& status) {
  std::vector<PeerStatus> voters = status.peers;
  std::erase_if(voters, [&](const PeerStatus& peer) {
    return !peer.recently_active ||
           std::ranges::find(status.configuration.voters, peer.member) == status.configuration.voters.end();
  });
  return voters;
}

}  // namespace

void Fitness::tick(Core& core) {
  ++ticks_;
  decide(core);
}

void Fitness::batch_leaves(std::uint64_t number) { on_the_way_.push_back({number, ticks_}); }

void Fitness::batch_stored(std::uint64_t number) {
  while (!on_the_way_.empty() && on_the_way_.front().number <= number) {
    on_the_way_.pop_front();
  }
}

std::string_view Fitness::why_not() const {
  if (!can_apply_) {
    return "the state cannot be written";
  }
  if (is_disk_stalled_) {
    return "the disk is stalled: a write of the log has not come back";
  }
  return "";
}

void Fitness::decide(Core& core) {
  const auto timeout_ticks = static_cast<std::uint64_t>(core.config().timing.election_timeout_ticks);
  // The oldest alone: under load there is always a batch on its way.
  is_disk_stalled_ = !on_the_way_.empty() && ticks_ - on_the_way_.front().since_tick > timeout_ticks / 2;
  if (is_fit() != may_campaign_) {
    may_campaign_ = is_fit();
    core.may_campaign(may_campaign_);
  }
  if (is_fit() || core.role() != Role::leader) {
    asked_.clear();
  } else if (asked_.empty() || ticks_ - asked_since_tick_ >= timeout_ticks) {
    // With the very tick that ends the core's transfer, or the entries that wait would be proposed in
    // between.
    asked_since_tick_ = ticks_;
    hand_over(core);
  }
}

// Whoever was asked and does not lead an election timeout later may be ill itself: then it is another's turn.
// While one of them catches up this node stays, since nobody else may be there to bring it what it lacks.
// Otherwise they are left to elect as they can.
void Fitness::hand_over(Core& core) {
  const Status status = core.status();
  const std::vector<PeerStatus> voters = voters_in_touch(status);
  std::vector<PeerStatus> next = voters;
  std::erase_if(next, [this](const PeerStatus& peer) {
    return std::ranges::find(asked_, peer.member) != asked_.end();
  });
  if (next.empty()) {
    asked_.clear();
    next = voters;
    if (std::ranges::none_of(voters, [this](const PeerStatus& peer) { return has_advanced(peer); })) {
      core.step_down();
      return;
    }
  }
  if (asked_.empty()) {
    at_first_question_ = voters;
  }
  const Member best = std::ranges::max_element(next, {}, &PeerStatus::match)->member;
  asked_.push_back(best);
  core.transfer_leadership(best);
}

bool Fitness::has_advanced(const PeerStatus& peer) const {
  const auto before = std::ranges::find(at_first_question_, peer.member, &PeerStatus::member);
  return before == at_first_question_.end() || before->match < peer.match;
}

}  // namespace parley::raft
