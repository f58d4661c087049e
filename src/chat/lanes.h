// Private to chat: lanes. A message lies in one lane of its conversation: who of the two sent it, whether it
// was read, and from whose view it was deleted. Every view of a list is a merge of a few whole lanes by id,
// so no list ever steps over a row that it does not show, and unread rows need no index of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "chat/types.h"

namespace parley::chat {

using Lane = std::int64_t;
inline constexpr Lane kLaneRead = 1;
inline constexpr Lane kLaneHiddenFromRecipient = 2;
inline constexpr Lane kLaneHiddenFromSender = 4;
inline constexpr Lane kLaneFromHigh = 8;  // sent by the member with the higher account id

// The two members of a direct conversation, by account id; the same twice: messages to oneself.
struct Pair {
  AccountId low;
  AccountId high;
  auto operator<=>(const Pair&) const = default;

  [[nodiscard]] bool is_self() const { return low == high; }
  [[nodiscard]] bool has(AccountId account) const { return account == low || account == high; }
  [[nodiscard]] AccountId peer_of(AccountId account) const { return account == low ? high : low; }
};

[[nodiscard]] inline Pair pair_of(AccountId a, AccountId b) { return a < b ? Pair{a, b} : Pair{b, a}; }

[[nodiscard]] inline Lane lane_from(const Pair& pair, AccountId sender) {
  return sender == pair.high && !pair.is_self() ? kLaneFromHigh : 0;
}
[[nodiscard]] inline AccountId sender_in(const Pair& pair, Lane lane) {
  return (lane & kLaneFromHigh) != 0 ? pair.high : pair.low;
}
[[nodiscard]] inline AccountId recipient_in(const Pair& pair, Lane lane) {
  return (lane & kLaneFromHigh) != 0 ? pair.low : pair.high;
}

// What `account` received and still sees.
[[nodiscard]] inline std::vector<Lane> received_lanes(const Pair& pair, AccountId account, bool unread_only) {
  if (pair.is_self()) {
    return unread_only ? std::vector<Lane>{} : std::vector<Lane>{kLaneRead};
  }
  const Lane from = lane_from(pair, pair.peer_of(account));
  if (unread_only) {
    return {from, from | kLaneHiddenFromSender};
  }
  return {from, from | kLaneRead, from | kLaneHiddenFromSender, from | kLaneHiddenFromSender | kLaneRead};
}

// What `account` sent and still sees.
[[nodiscard]] inline std::vector<Lane> sent_lanes(const Pair& pair, AccountId account) {
  if (pair.is_self()) {
    return {};  // received as well
  }
  const Lane from = lane_from(pair, account);
  return {from, from | kLaneRead, from | kLaneHiddenFromRecipient,
          from | kLaneHiddenFromRecipient | kLaneRead};
}

}  // namespace parley::chat
