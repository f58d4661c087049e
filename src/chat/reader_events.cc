#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>

#include "chat/lane_merge.h"
#include "chat/reader_state.h"

namespace parley::chat {
namespace {

constexpr std::size_t kMaxRowsAtOnce = 1'000;

// A message that somebody still sees.
SharedEvent sent_event(Store& store, const MessageRow& row) {
  const auto pair = store.conversations.members(row.place.conversation);
  if (!pair) {
    throw_damaged("message " + std::to_string(row.place.id.value()) + " has no conversation");
  }
  const AccountId recipient = recipient_in(*pair, row.place.lane);
  const bool recipient_alive = store.is_alive(recipient);
  std::vector<AccountId> audience;
  if ((row.place.lane & kLaneHiddenFromSender) == 0 && recipient_alive && store.is_alive(row.sender)) {
    audience.push_back(row.sender);
  }
  if ((row.place.lane & kLaneHiddenFromRecipient) == 0 && recipient_alive && recipient != row.sender) {
    audience.push_back(recipient);
  }
  if (audience.empty()) {
    return nullptr;
  }
  Event event;
  event.position = Position(row.place.id.value());
  event.audience = std::move(audience);
  event.author = row.sender;
  event.request_id = base::to_string(row.request_id);
  event.what = MessageSent{to_message(store, row, AccountId())};
  return std::make_shared<const Event>(std::move(event));
}

bool is_for(const Event& event, AccountId account) {
  return std::ranges::find(event.audience, account) != event.audience.end();
}

// The kept events for one account, in order.
class RecordsFor {
 public:
  RecordsFor(Store& store, AccountId account, Position after)
      : store_(store), account_(account), read_to_(after) {}

  // None: no more.
  const SharedEvent& next() {
    while (!next_ && !(ready_.empty() && at_end_)) {
      if (ready_.empty()) {
        read_on();
      } else {
        next_ = std::move(ready_.front());
        ready_.pop_front();
      }
    }
    return next_;
  }
  SharedEvent take() { return std::exchange(next_, nullptr); }

 private:
  void read_on() {
    const auto records = store_.events.between(read_to_, store_.row.applied, kMaxRowsAtOnce);
    at_end_ = records.size() < kMaxRowsAtOnce;
    for (const EventRecord& record : records) {
      read_to_ = record.position;
      for (SharedEvent& event : expand(record, store_.accounts)) {
        if (is_for(*event, account_)) {
          ready_.push_back(std::move(event));
        }
      }
    }
  }

  Store& store_;
  AccountId account_;
  Position read_to_;
  std::deque<SharedEvent> ready_;
  SharedEvent next_;
  bool at_end_ = false;
};

}  // namespace

base::Result<Position> Reader::oldest_replayable() {
  return state_->query(
      [&]() -> base::Result<Position> { return replay_horizon(state_->store.row, state_->limits); });
}

base::Result<std::optional<Replay>> Reader::events_between(Position after, Position until,
                                                           std::size_t limit) {
  using Answer = base::Result<std::optional<Replay>>;
  return state_->query([&]() -> Answer {
    Store& store = state_->store;
    if (after < replay_horizon(store.row, state_->limits)) {
      return std::nullopt;
    }
    Replay replay;
    replay.through = std::max(after, std::min(until, store.row.applied));
    const std::size_t rows_at_once = std::clamp<std::size_t>(limit, 1, kMaxRowsAtOnce);
    const auto messages = store.messages.between(after, replay.through, rows_at_once);
    const auto records = store.events.between(after, replay.through, rows_at_once);
    // Where one of the two ended early, the other is only good as far.
    if (messages.size() == rows_at_once) {
      replay.through = Position(messages.back().place.id.value());
    }
    if (records.size() == rows_at_once) {
      replay.through = std::min(replay.through, records.back().position);
    }
    auto record = records.begin();
    const auto expand_up_to = [&](Position position) {
      for (; record != records.end() && record->position <= position; ++record) {
        std::ranges::move(expand(*record, store.accounts), std::back_inserter(replay.events));
      }
    };
    for (const MessageRow& row : messages) {
      const Position position(row.place.id.value());
      if (position > replay.through) {
        break;
      }
      expand_up_to(position);
      if (auto event = sent_event(store, row)) {
        replay.events.push_back(std::move(event));
      }
    }
    expand_up_to(replay.through);
    return replay;
  });
}

// Not the scan of events_between: the lanes of one account hold its messages alone, so what others wrote in
// the meantime costs it nothing.
base::Result<std::optional<std::vector<SharedEvent>>> Reader::events_after(AccountId account, Position after,
                                                                           std::size_t limit) {
  using Answer = base::Result<std::optional<std::vector<SharedEvent>>>;
  return state_->query([&]() -> Answer {
    Store& store = state_->store;
    if (after < replay_horizon(store.row, state_->limits)) {
      return std::nullopt;
    }
    LaneMerge messages(store.messages, false, MessageId(after.value()));
    for (const MemberRow& member : store.conversations.of(account, {}, kMaxMembers)) {
      const Pair pair = pair_of(account, member.peer);
      messages.add(member.conversation, received_lanes(pair, account, false));
      if (store.is_alive(member.peer)) {
        messages.add(member.conversation, sent_lanes(pair, account));
      }
    }
    RecordsFor records(store, account, after);
    std::vector<SharedEvent> found;
    while (found.size() < limit) {
      const SharedEvent& record = records.next();
      if (!messages.empty() && (!record || Position(messages.next().value()) < record->position)) {
        const auto row = store.messages.find(messages.take());
        if (!row) {
          throw_damaged("an index entry without its message");
        }
        if (auto event = sent_event(store, *row); event && is_for(*event, account)) {
          found.push_back(std::move(event));
        }
      } else if (record) {
        found.push_back(records.take());
      } else {
        break;
      }
    }
    return found;
  });
}

}  // namespace parley::chat
