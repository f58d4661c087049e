// SendMessage, ListMessages, ListConversations, MarkRead, DeleteMessages, GetUnreadCounts.
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "chat/validate.h"
#include "service/authorize.h"
#include "service/convert.h"
#include "service/fields.h"
#include "service/handlers.h"

namespace parley::service {
namespace {

chat::PageRequest page_of(std::int32_t page_size, const std::string& page_token) {
  return {page_size, page_token};
}

std::span<const std::uint64_t> span_of(const google::protobuf::RepeatedField<std::uint64_t>& ids) {
  static_assert(sizeof(std::uint64_t) == sizeof(*ids.data()));
  return {ids.data(), static_cast<std::size_t>(ids.size())};
}

// MarkRead and DeleteMessages: the same but for the command.
template <class Command, class Request, class Response>
void write_set(const CallPtr<Request, Response>& call) {
  auto ids = chat::check_message_ids(span_of(call->request().message_ids()));
  const auto request_id = request_id_of(*call, call->request().request_id());
  if (refused_any(*call, ids, request_id)) {
    return;
  }
  write_as_session(
      call,
      [id = *request_id, ids = *std::move(ids)](const chat::Authority& authority) {
        return sealed(Command{{.id = id}, authority, ids});
      },
      [call](const chat::CommandResult& result) {
        call->response().set_position(result.position.value());
        for (const auto id : result.message_ids) {
          call->response().add_message_ids(id.value());
        }
        call->succeed();
      });
}

}  // namespace

void send_message(const CallPtr<v1::SendMessageRequest, v1::SendMessageResponse>& call) {
  auto& request = call->request();
  auto recipient = chat::check_name(request.recipient(), "recipient");
  const auto body = chat::check_body(request.body());
  const auto request_id = request_id_of(*call, request.request_id());
  if (refused_any(*call, recipient, body, request_id, check_id("recipient_id", request.recipient_id()))) {
    return;
  }
  write_as_session(
      call,
      [call = call.get(), id = *request_id,
       recipient = *std::move(recipient)](const chat::Authority& authority) {
        return sealed(chat::SendMessage{.request = {.id = id},
                                        .authority = authority,
                                        .recipient = recipient,
                                        .recipient_id = chat::AccountId(call->request().recipient_id()),
                                        .body = call->request().body()});
      },
      [call](const chat::CommandResult& result) {
        convert(result.message, result.account, *call->response().mutable_message());
        call->response().set_position(result.position.value());
        call->succeed();
      });
}

void list_messages(const CallPtr<v1::ListMessagesRequest, v1::ListMessagesResponse>& call) {
  auto& request = call->request();
  chat::MessageQuery query{.conversation = chat::ConversationId(request.conversation_id()),
                           .unread_only = request.unread_only(),
                           .newest_first = request.newest_first(),
                           .page = page_of(request.page_size(), request.page_token())};
  if (refused_any(*call, check_page_size(request.page_size()),
                  check_id("conversation_id", request.conversation_id()))) {
    return;
  }
  if (!request.peer().empty()) {
    auto peer = chat::check_name(request.peer(), "peer");
    if (refused_any(*call, peer)) {
      return;
    }
    query.peer = *std::move(peer);
  }
  read_as_session(call, request.stale(),
                  [call, query = std::move(query)](chat::Reader& reader, const chat::SessionInfo& caller,
                                                   const node::AsOf& as_of) {
                    auto page = reader.messages(caller.account, query);
                    if (refused_any(*call, page)) {
                      return;
                    }
                    auto& response = call->response();
                    for (const auto& message : page->items) {
                      convert(message, caller.account, *response.add_messages());
                    }
                    response.set_next_page_token(std::move(page->next_page_token));
                    convert(as_of, *response.mutable_as_of());
                    call->succeed();
                  });
}

void list_conversations(const CallPtr<v1::ListConversationsRequest, v1::ListConversationsResponse>& call) {
  if (refused_any(*call, check_page_size(call->request().page_size()))) {
    return;
  }
  read_as_session(call, call->request().stale(),
                  [call](chat::Reader& reader, const chat::SessionInfo& caller, const node::AsOf& as_of) {
                    auto& request = call->request();
                    auto page = reader.conversations(caller.account,
                                                     page_of(request.page_size(), request.page_token()));
                    if (refused_any(*call, page)) {
                      return;
                    }
                    auto& response = call->response();
                    for (const auto& row : page->items) {
                      convert(row, caller.account, *response.add_conversations());
                    }
                    response.set_next_page_token(std::move(page->next_page_token));
                    convert(as_of, *response.mutable_as_of());
                    call->succeed();
                  });
}

void mark_read(const CallPtr<v1::MarkReadRequest, v1::MarkReadResponse>& call) {
  write_set<chat::MarkRead>(call);
}

void delete_messages(const CallPtr<v1::DeleteMessagesRequest, v1::DeleteMessagesResponse>& call) {
  write_set<chat::DeleteMessages>(call);
}

void get_unread_counts(const CallPtr<v1::GetUnreadCountsRequest, v1::GetUnreadCountsResponse>& call) {
  if (refused_any(*call, check_page_size(call->request().page_size()))) {
    return;
  }
  read_as_session(call, call->request().stale(),
                  [call](chat::Reader& reader, const chat::SessionInfo& caller, const node::AsOf& as_of) {
                    auto& request = call->request();
                    auto unread = reader.unread_counts(caller.account,
                                                       page_of(request.page_size(), request.page_token()));
                    if (refused_any(*call, unread)) {
                      return;
                    }
                    auto& response = call->response();
                    for (const auto& row : unread->page.items) {
                      convert(row, *response.add_counts());
                    }
                    response.set_total(unread->total);
                    response.set_next_page_token(std::move(unread->page.next_page_token));
                    convert(as_of, *response.mutable_as_of());
                    call->succeed();
                  });
}

}  // namespace parley::service
