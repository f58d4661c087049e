#include <algorithm>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "base/little_endian.h"
#include "chat/bytes.h"
#include "chat/reader_state.h"
#include "chat/validate.h"

namespace parley::chat {
namespace {

constexpr std::size_t kRowOverheadBytes = 320;

std::optional<MessageId> last_visible(Store& store, AccountId caller, const MemberRow& member,
                                      MessageId below) {
  const Pair pair = pair_of(caller, member.peer);
  std::vector<Lane> lanes = received_lanes(pair, caller, false);
  if (store.is_alive(member.peer)) {
    const auto sent = sent_lanes(pair, caller);
    lanes.insert(lanes.end(), sent.begin(), sent.end());
  }
  std::optional<MessageId> last;
  for (const Lane lane : lanes) {
    const auto id = store.messages.last_below(member.conversation, lane, below);
    if (id && (!last || *last < *id)) {
      last = id;
    }
  }
  return last;
}

std::uint32_t count_unread(Store& store, AccountId caller, const MemberRow& member) {
  std::int64_t count = 0;
  for (const Lane lane : received_lanes(pair_of(caller, member.peer), caller, true)) {
    count += store.messages.count(member.conversation, lane);
  }
  return static_cast<std::uint32_t>(std::min<std::int64_t>(count, std::numeric_limits<std::uint32_t>::max()));
}

// Pages go by the last message as of the first page, so that a conversation that somebody writes in meanwhile
// is on one page and no other. Where its last message is deleted meanwhile, the one before that gives it a
// place further back, and it comes a second time: clients know it by its id.
struct ConversationCursor {
  Position as_of;
  MessageId below = kLastMessageId;
};

std::optional<ConversationCursor> parse_cursor(const std::optional<std::string>& bytes) {
  if (!bytes) {
    return std::nullopt;
  }
  ByteReader in(*bytes);
  ConversationCursor cursor;
  cursor.as_of = Position(in.take<std::uint64_t>());
  cursor.below = MessageId(in.take<std::uint64_t>());
  return in.failed() || !in.rest().empty() ? std::nullopt : std::optional(cursor);
}

struct Candidate {
  MessageId last;
  MemberRow member;
};

std::vector<Candidate> candidates(Store& store, AccountId caller, const ConversationCursor& cursor) {
  std::vector<Candidate> found;
  const MessageId as_of(cursor.as_of.value() + 1);
  for (const MemberRow& member : store.conversations.of(caller, {}, kMaxMembers)) {
    const auto last = last_visible(store, caller, member, as_of);
    if (last && *last < cursor.below) {
      found.push_back({.last = *last, .member = member});
    }
  }
  std::ranges::sort(found, std::greater{}, &Candidate::last);
  return found;
}

ConversationRow to_row(Store& store, AccountId caller, const MemberRow& member) {
  ConversationRow row;
  row.id = member.conversation;
  if (const auto peer = store.accounts.find(member.peer)) {
    row.peer_name = peer->name;
    row.peer_gone = !peer->alive;
  }
  const auto last = last_visible(store, caller, member, kLastMessageId);
  const auto message = last ? store.messages.find(*last) : std::nullopt;
  if (!message) {
    throw_damaged("an index entry without its message");
  }
  row.last_message = to_message(store, *message, caller);
  row.unread_count = count_unread(store, caller, member);
  return row;
}

}  // namespace

base::Result<Page<ConversationRow>> Reader::conversations(AccountId caller, const PageRequest& page) {
  return state_->query([&]() -> base::Result<Page<ConversationRow>> {
    Store& store = state_->store;
    const auto page_size = check_page_size(page.page_size);
    if (!page_size) {
      return std::unexpected(page_size.error());
    }
    std::string query = "conversations";
    base::append_le(query, caller.value());
    const PageScope scope = state_->scope(std::move(query));
    ConversationCursor cursor{.as_of = store.row.applied};
    if (!page.page_token.empty()) {
      const auto parsed = parse_cursor(open_page_token(scope, page.page_token));
      if (!parsed) {
        return std::unexpected(bad_page_token());
      }
      cursor = *parsed;
    }
    Page<ConversationRow> rows;
    std::size_t size_bytes = 0;
    for (const Candidate& candidate : candidates(store, caller, cursor)) {
      if (rows.items.size() == static_cast<std::size_t>(*page_size) || size_bytes >= base::kMaxPageBytes) {
        std::string last;
        base::append_le(last, cursor.as_of.value());
        base::append_le(last, cursor.below.value());
        rows.next_page_token = make_page_token(scope, last);
        return rows;
      }
      rows.items.push_back(to_row(store, caller, candidate.member));
      size_bytes += kRowOverheadBytes + rows.items.back().last_message.body.size();
      cursor.below = candidate.last;
    }
    return rows;
  });
}

base::Result<UnreadPage> Reader::unread_counts(AccountId caller, const PageRequest& page) {
  return state_->query([&]() -> base::Result<UnreadPage> {
    Store& store = state_->store;
    const auto page_size = check_page_size(page.page_size);
    if (!page_size) {
      return std::unexpected(page_size.error());
    }
    std::string query = "unread";
    base::append_le(query, caller.value());
    const PageScope scope = state_->scope(std::move(query));
    AccountId after;
    if (!page.page_token.empty()) {
      const auto cursor = open_page_token(scope, page.page_token);
      if (!cursor || cursor->size() != sizeof(std::uint64_t)) {
        return std::unexpected(bad_page_token());
      }
      after = AccountId(base::read_le<std::uint64_t>(*cursor, 0));
    }
    UnreadPage counts;
    bool full = false;
    for (const MemberRow& member : store.conversations.of(caller, {}, kMaxMembers)) {  // by the peer's id
      const std::uint32_t unread = count_unread(store, caller, member);
      counts.total += unread;
      if (unread == 0 || member.peer <= after || full) {
        continue;
      }
      if (counts.page.items.size() == static_cast<std::size_t>(*page_size)) {
        std::string last;
        base::append_le(last, after.value());
        counts.page.next_page_token = make_page_token(scope, last);
        full = true;
        continue;
      }
      const auto peer = store.accounts.find(member.peer);
      counts.page.items.push_back({.conversation = member.conversation,
                                   .peer_name = peer ? peer->name : std::string(),
                                   .unread_count = unread});
      after = member.peer;
    }
    return counts;
  });
}

}  // namespace parley::chat
