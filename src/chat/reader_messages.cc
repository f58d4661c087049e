#include <utility>

#include "base/limits.h"
#include "base/little_endian.h"
#include "chat/lane_merge.h"
#include "chat/names.h"
#include "chat/reader_state.h"
#include "chat/validate.h"

namespace parley::chat {
namespace {

constexpr std::size_t kMessageOverheadBytes = 256;  // ids, names, times of one message in an answer

// The lanes of a view, or the error of who asks for another's.
base::Result<void> add_lanes(LaneMerge& merge, Store& store, AccountId caller, const MessageQuery& query) {
  if (query.peer.empty() && query.conversation.is_none()) {
    for (const MemberRow& member : store.conversations.of(caller, {}, kMaxMembers)) {
      merge.add(member.conversation, received_lanes(pair_of(caller, member.peer), caller, query.unread_only));
    }
    return {};
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
    merge.add(*conversation, received_lanes(*pair, caller, query.unread_only));
    if (!query.unread_only && store.is_alive(pair->peer_of(caller))) {
      merge.add(*conversation, sent_lanes(*pair, caller));
    }
  }
  return {};
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
    const PageScope scope = state_->scope(scope_of(store, caller, query));
    MessageId from = query.newest_first ? kLastMessageId : MessageId();
    if (!query.page.page_token.empty()) {
      const auto cursor = open_page_token(scope, query.page.page_token);
      if (!cursor || cursor->size() != sizeof(std::uint64_t)) {
        return std::unexpected(bad_page_token());
      }
      from = MessageId(base::read_le<std::uint64_t>(*cursor, 0));
    }
    LaneMerge merge(store.messages, query.newest_first, from);
    if (auto added = add_lanes(merge, store, caller, query); !added) {
      return std::unexpected(std::move(added.error()));
    }
    return take_page(store, merge, caller, static_cast<std::size_t>(*page_size), scope);
  });
}

}  // namespace parley::chat
