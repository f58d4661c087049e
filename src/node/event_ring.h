// EventRing: the newest events of this node, in order of position, bounded in number and bytes. It has every
// event after floor(). Passive; whoever owns it guards it. Owned by: WatchHub.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "chat/event.h"

namespace parley::node {

class EventRing {
 public:
  // `floor`: events at or below are not known to the ring.
  EventRing(std::size_t max_events, std::size_t max_bytes, base::Position floor)
      : max_events_(max_events), max_bytes_(max_bytes), floor_(floor), end_(floor) {}

  // Everything up to `applied` has been told with these (at most the rest: none).
  void push(base::Position applied, std::vector<chat::SharedEvent> events);
  // What came up to `position` is not told: the ring begins anew after it.
  void skip_to(base::Position position);
  [[nodiscard]] base::Position floor() const { return floor_; }
  [[nodiscard]] base::Position end() const { return end_; }
  // Those after `after`, which must not lie below floor().
  [[nodiscard]] std::vector<chat::SharedEvent> after(base::Position after) const;

 private:
  const std::size_t max_events_;
  const std::size_t max_bytes_;
  base::Position floor_;
  base::Position end_;
  std::size_t bytes_ = 0;
  std::deque<chat::SharedEvent> events_;
};

}  // namespace parley::node
