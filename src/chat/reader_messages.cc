#include <limits>
#include <queue>
#include <utility>

#include "base/limits.h"
#include "base/little_endian.h"
#include "chat/bytes.h"
#include "chat/names.h"
#include "chat/reader_state.h"
#include "chat/validate.h"

namespace parley::chat {
namespace {

constexpr std::size_t kMessageOverheadBytes = 256;  // ids, names, times of one message in an answer
constexpr MessageId kLastId(std::numeric_limits<std::int64_t>::max());

struct LaneOf {
  ConversationId conversation;
  Lane lane = 0;
};

// Whole lanes, merged by id: one seek for each lane, and one for each message taken.
class LaneMerge {
 public:
  LaneMerge(MessageTable& messages, bool newest_first, MessageId from)
      : messages_(messages), newest_first_(newest_first), from_(from) {}

  void add(const LaneOf& lane) { push(lane, from_); }
  [[nodiscard]] bool empty() const { return heads_.empty(); }
  MessageId take() {
    const Head head = heads_.top();
    heads_.pop();
    push(head.lane, head.id);
    return head.id;
  }

 private:
  struct Head {
    MessageId id;
    LaneOf lane;
  };
  struct Later {
    bool newest_first;
    bool operator()(const Head& a, const Head& b) const { return newest_first ? a.id < b.id : a.id > b.id; }
  };

  void push(const LaneOf& lane, MessageId beyond) {
    const auto next = newest_first_ ? messages_.last_below(lane.conversation, lane.lane, beyond)
                                    : messages_.first_above(lane.conversation, lane.lane, beyond);
    if (next) {
      heads_.push({.id = *next, .lane = lane});
    }
  }

  MessageTable& messages_;
  bool newest_first_;
  MessageId from_;
  std::priority_queue<Head, std::vector<Head>, Later> heads_{Later{newest_first_}};
};

// The lanes of a view, or the error of who asks for another's.
base::Result<std::vector<LaneOf>> lanes_of(Store& store, AccountId caller, const MessageQuery& query) {
  std::vector<LaneOf> lanes;
  const auto add = [&](ConversationId conversation, const std::vector<Lane>& numbers) {
    for (const Lane lane : numbers) {
      lanes.push_back({.conversation = conversation, .lane = lane});
    }
  };
  if (query.peer.empty() && query.conversation.is_none()) {
    for (const MemberRow& member : store.conversations.of(caller, {}, kMaxMembers)) {
      add(member.conversation, received_lanes(pair_of(caller, member.peer), caller, query.unread_only));
    }
    return lanes;
  }
  std::optional<ConversationId> conversation;
  std::optional<Pair> pair;
  if (!query.conversation.is_none()) {
    conversation = query.conversation;
    pair = store.conversations.members(query.conversation);
    if (!pair || !pair->has(caller)) {
      return std::unexpected(conversation_not_found());
    }
  } else {
    const auto peer = store.accounts.find_alive(fold_name(query.peer));
    if (!peer) {
      return std::unexpected(account_not_found("peer"));
    }
    pair = pair_of(caller, peer->id);
    conversation = store.conversations.find(*pair);
  }
  if (conversation) {
    add(*conversation, received_lanes(*pair, caller, query.unread_only));
    if (!query.unread_only && store.is_alive(pair->peer_of(caller))) {
      add(*conversation, sent_lanes(*pair, caller));
    }
  }
  return lanes;
}

std::string scope_of(Store& store, AccountId caller, const MessageQuery& query) {
  std::string text = "messages";
  base::append_le(text, caller.value());
  base::append_le(text, query.conversation.value());
  text.push_back(query.unread_only ? '1' : '0');
  text.push_back(query.newest_first ? '1' : '0');
  // A name that was registered again is another peer.
  const auto peer = store.accounts.find_alive(fold_name(query.peer));
  base::append_le(text, peer ? peer->id.value() : 0);
  return text;
}

Page<Message> take_page(Store& store, LaneMerge& merge, AccountId caller, std::size_t page_size,
                        const PageScope& scope) {
  Page<Message> page;
  std::size_t size_bytes = 0;
  while (!merge.empty()) {
    const bool full = page.items.size() == page_size || size_bytes >= base::kMaxPageBytes;
    if (full) {
      std::string cursor;
      base::append_le(cursor, page.items.back().id.value());
      page.next_page_token = make_page_token(scope, cursor);
      return page;
    }
    const auto row = store.messages.find(merge.take());
    if (!row) {
      throw_damaged("an index entry without its message");
    }
    page.items.push_back(to_message(store, *row, caller));
    size_bytes += kMessageOverheadBytes + row->body.size();
  }
  return page;
}

}  // namespace

base::Result<Page<Message>> Reader::messages(AccountId caller, const MessageQuery& query) {
  return state_->query([&]() -> base::Result<Page<Message>> {
    Store& store = state_->store;
    if (!query.peer.empty() && !query.conversation.is_none()) {
      return std::unexpected(both_peer_and_conversation());
    }
    const auto page_size = check_page_size(query.page.page_size);
    if (!page_size) {
      return std::unexpected(page_size.error());
    }
    const auto lanes = lanes_of(store, caller, query);
    if (!lanes) {
      return std::unexpected(lanes.error());
    }
    const PageScope scope = state_->scope(scope_of(store, caller, query));
    MessageId from = query.newest_first ? kLastId : MessageId();
    if (!query.page.page_token.empty()) {
      const auto cursor = open_page_token(scope, query.page.page_token);
      if (!cursor || cursor->size() != sizeof(std::uint64_t)) {
        return std::unexpected(bad_page_token());
      }
      from = MessageId(base::read_le<std::uint64_t>(*cursor, 0));
    }
    LaneMerge merge(store.messages, query.newest_first, from);
    for (const LaneOf& lane : *lanes) {
      merge.add(lane);
    }
    return take_page(store, merge, caller, static_cast<std::size_t>(*page_size), scope);
  });
}

}  // namespace parley::chat
