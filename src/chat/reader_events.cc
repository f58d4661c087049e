#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

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

base::Result<std::optional<std::vector<SharedEvent>>> Reader::events_after(AccountId account, Position after,
                                                                           std::size_t limit) {
  std::vector<SharedEvent> found;
  while (found.size() < limit && after < applied()) {
    auto replay = events_between(after, applied(), kMaxRowsAtOnce);
    if (!replay) {
      return std::unexpected(replay.error());
    }
    if (!*replay) {
      return std::nullopt;
    }
    for (SharedEvent& event : (*replay)->events) {
      if (found.size() < limit && is_for(*event, account)) {
        found.push_back(std::move(event));
      }
    }
    after = (*replay)->through;
  }
  return found;
}

}  // namespace parley::chat
