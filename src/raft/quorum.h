// Quorum arithmetic, pure: what a majority has reached, and how a vote stands. In a joint configuration both
// halves must agree (Raft thesis 4.3). Owned by: nobody. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "raft/types.h"

namespace parley::raft {

enum class VoteResult : std::uint8_t { pending, won, lost };

struct VoteCount {
  std::size_t voters = 0;
  std::size_t granted = 0;
  std::size_t refused = 0;
};

[[nodiscard]] VoteResult majority_vote(const VoteCount& count);
[[nodiscard]] VoteResult both(VoteResult incoming, VoteResult outgoing);

// The largest value that a majority has reached, given what each has. Sorts `reached`. Nobody: the maximum,
// since an absent half has no objection.
[[nodiscard]] std::uint64_t majority_value(std::vector<std::uint64_t>& reached);

// `value_of(member)`: what each voter has reached (a match index, a round, a time).
template <class ValueOf>
[[nodiscard]] std::uint64_t quorum_value(const Configuration& configuration, ValueOf&& value_of) {
  std::vector<std::uint64_t> reached;
  reached.reserve(std::max(configuration.voters.size(), configuration.outgoing_voters.size()));
  const auto half = [&](const std::vector<Member>& voters) {
    reached.clear();
    for (const Member& voter : voters) reached.push_back(std::invoke(value_of, voter));
    return majority_value(reached);
  };
  return std::min(half(configuration.voters), half(configuration.outgoing_voters));
}

}  // namespace parley::raft
