#include "raft/quorum.h"

namespace parley::raft {

VoteResult majority_vote(const VoteCount& count) {
  if (count.voters == 0) return VoteResult::won;
  const std::size_t needed = count.voters / 2 + 1;
  if (count.granted >= needed) return VoteResult::won;
  const std::size_t open = count.voters - count.granted - count.refused;
  return count.granted + open >= needed ? VoteResult::pending : VoteResult::lost;
}

VoteResult both(VoteResult incoming, VoteResult outgoing) {
  if (incoming == VoteResult::lost || outgoing == VoteResult::lost) return VoteResult::lost;
  if (incoming == VoteResult::won && outgoing == VoteResult::won) return VoteResult::won;
  return VoteResult::pending;
}

std::uint64_t majority_value(std::vector<std::uint64_t>& reached) {
  if (reached.empty()) return std::numeric_limits<std::uint64_t>::max();
  const std::size_t needed = reached.size() / 2 + 1;
  const auto at = reached.begin() + static_cast<std::ptrdiff_t>(needed - 1);
  std::ranges::nth_element(reached, at, std::ranges::greater{});
  return *at;
}

}  // namespace parley::raft
