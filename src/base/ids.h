// The ids that more than one layer speaks of.
// Owned by: nobody, values. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "base/strong_id.h"

namespace parley::base {

// A node's number, chosen by the operator: 1 and up.
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;

// The random id of one life of a node's log (design.md, Incarnations): made with the log, never 0.
using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;

// A place in the replicated log. For chat it is also a message's id and a watch's resume point.
using Position = StrongId<struct PositionTag, std::uint64_t>;

// The random id of a cluster, made at founding. All zero: none yet.
struct ClusterId {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const ClusterId&) const = default;
  [[nodiscard]] bool is_none() const { return *this == ClusterId{}; }
};

}  // namespace parley::base
