// CreateAccount, DeleteAccount, GetAccount, ListAccounts.
#include <memory>
#include <string>
#include <utility>

#include "chat/errors.h"
#include "chat/validate.h"
#include "service/convert.h"
#include "service/fields.h"
#include "service/handlers.h"
#include "service/password_check.h"

namespace parley::service {
namespace {

using CreatePtr = CallPtr<v1::CreateAccountRequest, v1::CreateAccountResponse>;

void answer_created(const CreatePtr& call, const std::string& token, const chat::CommandResult& session,
                    const chat::Account& account, base::Position created_at) {
  auto& response = call->response();
  convert(account, *response.mutable_account());
  response.set_token(token);
  set_time(*response.mutable_expires_at(), session.session_expires_at_unix_ms);
  response.set_position(created_at.value());
  call->succeed();
}

// Rule 5: this request_id made the account before. Whoever knows its password gets a session and the first
// position; anybody else hears nothing of the first request.
void create_again(const CreatePtr& call, const chat::CommandResult& first) {
  auto account = std::make_shared<chat::Account>();
  auto find = [id = first.account, account](chat::Reader& reader) {
    auto credentials = reader.credentials(id);
    if (credentials && *credentials) {
      *account = (*credentials)->account;
    }
    return credentials;
  };
  open_session(call, std::move(find), call->request().password(), chat::request_id_reused(),
               [call, account, position = first.position](const OpenedSession& session) {
                 answer_created(call, session.token, session.result, *account, position);
               });
}

void propose_account(const CreatePtr& call, chat::CreateAccount command) {
  auto token = new_token(call->node());
  if (!token) {
    call->fail(std::move(token).error());
    return;
  }
  command.session = token->hash;
  call->note_proposed();
  call->node().write(sealed(std::move(command)), call->deadline(),
                     [call, token = *std::move(token)](base::Result<chat::CommandResult> result) mutable {
                       call->post([call, token = std::move(token), result = std::move(result)] {
                         if (!result) {
                           call->fail(result.error());
                         } else if (result->verdict == chat::Verdict::created_before) {
                           create_again(call, *result);
                         } else if (result->verdict != chat::Verdict::done) {
                           call->fail(chat::to_error(*result));
                         } else {
                           call->service().sessions.add(token.hash, result->account);
                           answer_created(call, token.text, *result,
                                          {result->account, result->account_name, result->created_at_unix_ms},
                                          result->position);
                         }
                       });
                     });
}

}  // namespace

void create_account(const CreatePtr& call) {
  auto name = chat::check_name(call->request().name());
  const auto password = chat::check_password(call->request().password());
  auto request_id = request_id_of(*call, call->request().request_id());
  if (refused_any(*call, name, password, request_id)) {
    return;
  }
  chat::CreateAccount command{.request = {.id = *request_id}, .name = *std::move(name)};
  // The hash is made before the proposal: apply must not differ between nodes, nor take long.
  call->service().passwords.hash(
      call->request().password(), call->deadline(),
      [call, command = std::move(command)](base::Result<std::string> hash) mutable {
        if (!hash) {
          call->fail(std::move(hash).error());
          return;
        }
        command.password_hash = *std::move(hash);
        propose_account(call, std::move(command));
      });
}

void delete_account(const CallPtr<v1::DeleteAccountRequest, v1::DeleteAccountResponse>& call) {
  const auto password = chat::check_password(call->request().password());
  const auto request_id = request_id_of(*call, call->request().request_id());
  if (refused_any(*call, password, request_id)) {
    return;
  }
  write_with_password(
      call, {.password = call->request().password(),
             .make =
                 [id = *request_id](const chat::Authority& authority, chat::PasswordVersion checked) {
                   return sealed(chat::DeleteAccount{{.id = id}, authority, checked});
                 },
             .answer =
                 [call](const chat::CommandResult& result) {
                   call->response().set_position(result.position.value());
                   call->succeed();
                 }});
}

void get_account(const CallPtr<v1::GetAccountRequest, v1::GetAccountResponse>& call) {
  auto name = chat::check_name(call->request().name());
  if (refused_any(*call, name)) {
    return;
  }
  read_as_session(call, call->request().stale(),
                  [call, name = *std::move(name)](chat::Reader& reader, const chat::SessionInfo&,
                                                  const node::AsOf& as_of) {
                    const auto account = reader.account(name);
                    if (refused_any(*call, account)) {
                      return;
                    }
                    convert(*account, *call->response().mutable_account());
                    convert(as_of, *call->response().mutable_as_of());
                    call->succeed();
                  });
}

void list_accounts(const CallPtr<v1::ListAccountsRequest, v1::ListAccountsResponse>& call) {
  const auto glob = chat::check_glob(call->request().pattern());
  const auto page_size = check_page_size(call->request().page_size());
  if (refused_any(*call, glob, page_size)) {
    return;
  }
  read_as_session(call, call->request().stale(),
                  [call](chat::Reader& reader, const chat::SessionInfo& caller, const node::AsOf& as_of) {
                    auto& request = call->request();
                    auto page = reader.accounts(caller.account, request.pattern(),
                                                {request.page_size(), request.page_token()});
                    if (refused_any(*call, page)) {
                      return;
                    }
                    auto& response = call->response();
                    for (const auto& account : page->items) {
                      convert(account, *response.add_accounts());
                    }
                    response.set_next_page_token(std::move(page->next_page_token));
                    convert(as_of, *response.mutable_as_of());
                    call->succeed();
                  });
}

}  // namespace parley::service
