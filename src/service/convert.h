// The words of chat and node as messages of the public API. Private to service. Owned by: nobody. Any thread.
#pragma once

#include <cstdint>

#include "chat/event.h"
#include "chat/reader.h"
#include "chat/types.h"
#include "node/chat_node.h"
#include "parley/v1/api.pb.h"

namespace parley::service {

void set_time(google::protobuf::Timestamp& out, std::int64_t unix_ms);
void convert(const chat::Account& account, v1::Account& out);
// As `viewer` sees it: request_id is its author's alone.
void convert(const chat::Message& message, chat::AccountId viewer, v1::Message& out);
void convert(const chat::ConversationRow& row, chat::AccountId viewer, v1::Conversation& out);
void convert(const chat::UnreadRow& row, v1::UnreadCount& out);
void convert(const node::AsOf& as_of, v1::AsOf& out);
void convert(const chat::Event& event, chat::AccountId viewer, v1::WatchResponse& out);
void convert(const node::NodeStatus& status, v1::GetStatusResponse& out);  // all but `version`

}  // namespace parley::service
