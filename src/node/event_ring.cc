#include "node/event_ring.h"

#include <algorithm>

#include "base/ensure.h"

namespace parley::node {
namespace {

std::size_t size_bytes(const chat::Event& event) {
  constexpr std::size_t kFixed_bytes = 256;
  std::size_t bytes = kFixed_bytes + event.audience.size() * sizeof(chat::AccountId);
  if (const auto* sent = std::get_if<chat::MessageSent>(&event.what)) {
    bytes += sent->message.body.size();
  }
  if (const auto* read = std::get_if<chat::MessagesRead>(&event.what)) {
    bytes += 8 * read->message_ids.size();
  }
  if (const auto* deleted = std::get_if<chat::MessagesDeleted>(&event.what)) {
    bytes += 8 * deleted->message_ids.size();
  }
  return bytes;
}

}  // namespace

void EventRing::push(base::Position applied, std::vector<chat::SharedEvent> events) {
  for (chat::SharedEvent& event : events) {
    base::ensure(event->position > end_ || (!events_.empty() && event->position == events_.back()->position),
                 "events come in order of position, each position once");
    bytes_ += size_bytes(*event);
    events_.push_back(std::move(event));
  }
  end_ = applied;
  while (!events_.empty() && (events_.size() > max_events_ || bytes_ > max_bytes_)) {
    // All events of one position go together.
    floor_ = events_.front()->position;
    while (!events_.empty() && events_.front()->position == floor_) {
      bytes_ -= size_bytes(*events_.front());
      events_.pop_front();
    }
  }
}

void EventRing::skip_to(base::Position position) {
  base::ensure(position >= end_, "the ring never goes back");
  events_.clear();
  bytes_ = 0;
  floor_ = position;
  end_ = position;
}

std::vector<chat::SharedEvent> EventRing::after(base::Position after) const {
  base::ensure(after >= floor_, "the ring has everything that it is asked for");
  const auto first =
      std::ranges::upper_bound(events_, after, {}, [](const auto& event) { return event->position; });
  return {first, events_.end()};
}

}  // namespace parley::node
