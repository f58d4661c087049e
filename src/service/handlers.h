// The handlers of the API's methods, one file a subject: accounts.cc, sessions.cc, messages.cc, cluster.cc,
// watch.cc. Each is given a parsed request and ends its call, sooner or later. Private to service. Owned by:
// nobody. Any thread.
#pragma once

#include <memory>
#include <string>

#include "parley/v1/api.pb.h"
#include "service/call.h"
#include "service/stream.h"

namespace parley::service {

// accounts.cc
void create_account(const CallPtr<v1::CreateAccountRequest, v1::CreateAccountResponse>& call);
void delete_account(const CallPtr<v1::DeleteAccountRequest, v1::DeleteAccountResponse>& call);
void get_account(const CallPtr<v1::GetAccountRequest, v1::GetAccountResponse>& call);
void list_accounts(const CallPtr<v1::ListAccountsRequest, v1::ListAccountsResponse>& call);
// sessions.cc
void log_in(const CallPtr<v1::LogInRequest, v1::LogInResponse>& call);
void log_out(const CallPtr<v1::LogOutRequest, v1::LogOutResponse>& call);
void change_password(const CallPtr<v1::ChangePasswordRequest, v1::ChangePasswordResponse>& call);
// messages.cc
void send_message(const CallPtr<v1::SendMessageRequest, v1::SendMessageResponse>& call);
void list_messages(const CallPtr<v1::ListMessagesRequest, v1::ListMessagesResponse>& call);
void list_conversations(const CallPtr<v1::ListConversationsRequest, v1::ListConversationsResponse>& call);
void mark_read(const CallPtr<v1::MarkReadRequest, v1::MarkReadResponse>& call);
void delete_messages(const CallPtr<v1::DeleteMessagesRequest, v1::DeleteMessagesResponse>& call);
void get_unread_counts(const CallPtr<v1::GetUnreadCountsRequest, v1::GetUnreadCountsResponse>& call);
// watch.cc
void watch(const std::shared_ptr<Stream>& stream, const v1::WatchRequest& request);
// cluster.cc
void get_status(const CallPtr<v1::GetStatusRequest, v1::GetStatusResponse>& call);
void watch_status(const std::shared_ptr<Stream>& stream, const v1::WatchStatusRequest& request);
void add_node(const CallPtr<v1::AddNodeRequest, v1::AddNodeResponse>& call);
void remove_node(const CallPtr<v1::RemoveNodeRequest, v1::RemoveNodeResponse>& call);
void transfer_leadership(const CallPtr<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>& call);
void backup(const std::shared_ptr<Stream>& stream, const v1::BackupRequest& request);

}  // namespace parley::service
