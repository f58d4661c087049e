#include "tests/process/person.h"

#include <utility>

namespace parley::testing {

template <class Response, class Request>
base::Result<Response> Person::call(const std::string& method, const Request& request) {
  Response response;
  if (auto done = world_->api->call(method, token_, request, response); !done) {
    return std::unexpected(std::move(done).error());
  }
  return response;
}

base::Result<v1::CreateAccountResponse> Person::sign_up() {
  v1::CreateAccountRequest request;
  request.set_name(name_);
  request.set_password(password_);
  auto answer = call<v1::CreateAccountResponse>("CreateAccount", request);
  if (answer) {
    token_ = answer->token();
    id_ = answer->account().id();
  }
  return answer;
}

base::Result<v1::LogInResponse> Person::log_in() {
  v1::LogInRequest request;
  request.set_name(name_);
  request.set_password(password_);
  auto answer = call<v1::LogInResponse>("LogIn", request);
  if (answer) {
    token_ = answer->token();
    id_ = answer->account().id();
  }
  return answer;
}

base::Result<v1::LogOutResponse> Person::log_out() {
  return call<v1::LogOutResponse>("LogOut", v1::LogOutRequest());
}

base::Result<v1::ChangePasswordResponse> Person::change_password(const std::string& new_password) {
  v1::ChangePasswordRequest request;
  request.set_password(password_);
  request.set_new_password(new_password);
  return call<v1::ChangePasswordResponse>("ChangePassword", request);
}

base::Result<v1::DeleteAccountResponse> Person::delete_account() {
  v1::DeleteAccountRequest request;
  request.set_password(password_);
  return call<v1::DeleteAccountResponse>("DeleteAccount", request);
}

base::Result<v1::Account> Person::look_up(const std::string& name) {
  v1::GetAccountRequest request;
  request.set_name(name);
  const auto answer = call<v1::GetAccountResponse>("GetAccount", request);
  if (!answer) {
    return std::unexpected(answer.error());
  }
  return answer->account();
}

base::Result<std::vector<std::string>> Person::accounts(const std::string& pattern, std::int32_t page_size) {
  v1::ListAccountsRequest request;
  request.set_pattern(pattern);
  request.set_page_size(page_size);
  std::vector<std::string> names;
  do {
    const auto page = call<v1::ListAccountsResponse>("ListAccounts", request);
    if (!page) {
      return std::unexpected(page.error());
    }
    for (const v1::Account& account : page->accounts()) {
      names.push_back(account.name());
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return names;
}

base::Result<v1::Message> Person::send(const std::string& to, const std::string& body, std::uint64_t to_id) {
  v1::SendMessageRequest request;
  request.set_recipient(to);
  request.set_recipient_id(to_id);
  request.set_body(body);
  const auto answer = call<v1::SendMessageResponse>("SendMessage", request);
  if (!answer) {
    return std::unexpected(answer.error());
  }
  return answer->message();
}

base::Result<v1::ListMessagesResponse> Person::list(const Page& page) {
  v1::ListMessagesRequest request;
  request.set_peer(page.peer);
  request.set_unread_only(page.unread_only);
  request.set_newest_first(page.newest_first);
  request.set_page_size(page.size);
  request.set_page_token(page.token);
  return call<v1::ListMessagesResponse>("ListMessages", request);
}

base::Result<std::vector<std::string>> Person::bodies(Page page) {
  std::vector<std::string> bodies;
  do {
    const auto answer = list(page);
    if (!answer) {
      return std::unexpected(answer.error());
    }
    for (const v1::Message& message : answer->messages()) {
      bodies.push_back(message.body());
    }
    page.token = answer->next_page_token();
  } while (!page.token.empty());
  return bodies;
}

base::Result<v1::ListConversationsResponse> Person::conversations() {
  return call<v1::ListConversationsResponse>("ListConversations", v1::ListConversationsRequest());
}

base::Result<v1::GetUnreadCountsResponse> Person::unread() {
  return call<v1::GetUnreadCountsResponse>("GetUnreadCounts", v1::GetUnreadCountsRequest());
}

base::Result<v1::MarkReadResponse> Person::mark_read(const std::vector<std::uint64_t>& ids) {
  v1::MarkReadRequest request;
  request.mutable_message_ids()->Add(ids.begin(), ids.end());
  return call<v1::MarkReadResponse>("MarkRead", request);
}

base::Result<v1::DeleteMessagesResponse> Person::remove(const std::vector<std::uint64_t>& ids) {
  v1::DeleteMessagesRequest request;
  request.mutable_message_ids()->Add(ids.begin(), ids.end());
  return call<v1::DeleteMessagesResponse>("DeleteMessages", request);
}

}  // namespace parley::testing
