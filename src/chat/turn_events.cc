#include <utility>

#include "chat/turn.h"

namespace parley::chat {

void Turn::emit(std::vector<AccountId> audience, AccountId author, const RequestKey* request,
                decltype(Event::what) what) {
  Event event;
  event.position = position_;
  event.audience = std::move(audience);
  event.author = author;
  if (request != nullptr) {
    event.request_id = base::to_string(request->id);
  }
  event.what = std::move(what);
  events_.push_back(std::make_shared<const Event>(std::move(event)));
}

// Kept for replay, the oldest dropped for it; what is shown now is what a replay will show.
void Turn::record(EventRecord event) {
  event.position = position_;
  StateRow& row = store_.row;
  row.events_bytes += store_.events.insert(event);
  ++row.events;
  for (std::size_t i = 0; i < limits_.max_events_dropped_at_once &&
                          (row.events > limits_.max_events || row.events_bytes > limits_.max_events_bytes);
       ++i) {
    const auto dropped = store_.events.drop_oldest();
    if (!dropped) {
      throw_damaged("fewer events than counted");
    }
    --row.events;
    row.events_bytes -= dropped->size_bytes;
    row.last_dropped_event = dropped->position;
  }
  for (auto& shown : expand(event, store_.accounts)) {
    events_.push_back(std::move(shown));
  }
}

void Turn::end_sessions(AccountId account, std::vector<SessionHash> sessions, const SessionHash& kept) {
  emit({account}, account, nullptr, SessionsEnded{.sessions = std::move(sessions), .kept = kept});
}

}  // namespace parley::chat
