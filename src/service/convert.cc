#include "service/convert.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "base/hex.h"

namespace parley::service {
namespace {

v1::Role role_of(bool is_leader, bool is_candidate) {
  if (is_leader) {
    return v1::ROLE_LEADER;
  }
  return is_candidate ? v1::ROLE_CANDIDATE : v1::ROLE_FOLLOWER;
}

void convert(const node::PeerView& peer, v1::Node& out) {
  out.set_id(peer.id.value());
  out.set_role(role_of(peer.is_leader, peer.is_candidate));
  out.set_suffrage(peer.is_voter ? v1::SUFFRAGE_VOTER : v1::SUFFRAGE_LEARNER);
  out.set_peer_addr(peer.peer_address);
  out.set_client_addr(peer.client_address);
  out.set_http_addr(peer.http_address);
  out.set_match_index(peer.match_index);
  if (peer.last_contact_ms) {
    out.set_last_contact_ms(*peer.last_contact_ms);
  }
  out.set_healthy(peer.healthy);
}

template <class Ids>
void add_ids(const std::vector<chat::MessageId>& from, Ids& out) {
  for (const auto id : from) {
    out.Add(id.value());
  }
}

}  // namespace

void set_time(google::protobuf::Timestamp& out, std::int64_t unix_ms) {
  out.set_seconds(unix_ms / 1000);
  out.set_nanos(static_cast<std::int32_t>(unix_ms % 1000) * 1'000'000);
}

void convert(const chat::Account& account, v1::Account& out) {
  out.set_name(account.name);
  out.set_id(account.id.value());
  set_time(*out.mutable_created_at(), account.created_at_unix_ms);
}

void convert(const chat::Message& message, chat::AccountId viewer, v1::Message& out) {
  out.set_id(message.id.value());
  out.set_sender(message.sender_name);
  out.set_recipient(message.recipient_name);
  out.set_body(message.body);
  set_time(*out.mutable_sent_at(), message.sent_at_unix_ms);
  out.set_read(message.read);
  out.set_conversation_id(message.conversation.value());
  out.set_sender_id(message.sender.value());
  out.set_recipient_id(message.recipient.value());
  if (viewer == message.sender) {
    out.set_request_id(message.request_id);
  }
}

void convert(const chat::ConversationRow& row, chat::AccountId viewer, v1::Conversation& out) {
  out.set_id(row.id.value());
  out.set_peer(row.peer_name);
  out.set_peer_gone(row.peer_gone);
  if (!row.last_message.id.is_none()) {
    convert(row.last_message, viewer, *out.mutable_last_message());
  }
  out.set_unread_count(row.unread_count);
}

void convert(const chat::UnreadRow& row, v1::UnreadCount& out) {
  out.set_conversation_id(row.conversation.value());
  out.set_peer(row.peer_name);
  out.set_unread_count(row.unread_count);
}

void convert(const node::AsOf& as_of, v1::AsOf& out) {
  out.set_position(as_of.position.value());
  if (as_of.age_ms) {
    out.set_age_ms(*as_of.age_ms);
  }
  out.set_cluster_id(base::to_string(as_of.cluster_id));
}

void convert(const chat::Event& event, chat::AccountId viewer, v1::WatchResponse& out) {
  out.set_position(event.position.value());
  if (viewer == event.author) {
    out.set_request_id(event.request_id);
  }
  std::visit(
      [&]<class What>(const What& what) {
        if constexpr (std::is_same_v<What, chat::MessageSent>) {
          convert(what.message, viewer, *out.mutable_message());
        } else if constexpr (std::is_same_v<What, chat::MessagesRead>) {
          add_ids(what.message_ids, *out.mutable_read()->mutable_message_ids());
          out.mutable_read()->set_reader(what.reader_name);
        } else if constexpr (std::is_same_v<What, chat::MessagesDeleted>) {
          add_ids(what.message_ids, *out.mutable_deleted()->mutable_message_ids());
        } else if constexpr (std::is_same_v<What, chat::AccountGone>) {
          out.mutable_account_gone()->set_name(what.name);
          out.mutable_account_gone()->set_account_id(what.account.value());
        } else {
          static_assert(std::is_same_v<What, chat::SessionsEnded>);  // ends watches, shown to nobody
        }
      },
      event.what);
}

void convert(const node::NodeStatus& status, v1::GetStatusResponse& out) {
  out.set_cluster_id(base::to_string(status.cluster_id));
  out.set_node_id(status.self.value());
  out.set_role(role_of(status.is_leader, status.is_candidate));
  out.set_term(status.term);
  out.set_leader_id(status.leader.value());
  out.set_commit_index(status.commit_index);
  out.set_applied_index(status.applied_index);
  for (const auto& peer : status.nodes) {
    convert(peer, *out.add_nodes());
  }
  out.set_writable(status.writable);
  out.set_acknowledged_writes(status.acknowledged_writes);
  for (const auto& change : status.leader_changes) {
    auto& item = *out.add_leader_changes();
    item.set_term(change.term);
    item.set_leader_id(change.leader.value());
    set_time(*item.mutable_at(), change.at_unix_ms);
    if (change.gap_ms) {
      item.set_gap_ms(*change.gap_ms);
    }
  }
  convert(status.as_of, *out.mutable_as_of());
  out.set_log_entries(status.log_entries);
}

}  // namespace parley::service
