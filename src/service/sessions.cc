// LogIn, LogOut, ChangePassword.
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "chat/errors.h"
#include "chat/validate.h"
#include "service/convert.h"
#include "service/fields.h"
#include "service/handlers.h"
#include "service/password_check.h"

namespace parley::service {

void log_in(const CallPtr<v1::LogInRequest, v1::LogInResponse>& call) {
  auto name = chat::check_name(call->request().name());
  const auto password = chat::check_password(call->request().password());
  if (refused_any(*call, name, password)) {
    return;
  }
  auto find = [name = *std::move(name)](chat::Reader& reader) {
    return reader.credentials(std::string_view(name));
  };
  open_session(call, std::move(find), call->request().password(), chat::wrong_name_or_password(),
               [call](const OpenedSession& session) {
                 auto& response = call->response();
                 const auto& result = session.result;
                 convert(chat::Account{result.account, result.account_name, result.created_at_unix_ms},
                         *response.mutable_account());
                 response.set_token(session.token);
                 set_time(*response.mutable_expires_at(), result.session_expires_at_unix_ms);
                 response.set_position(result.position.value());
                 call->succeed();
               });
}

void log_out(const CallPtr<v1::LogOutRequest, v1::LogOutResponse>& call) {
  const auto request_id = request_id_of(*call, call->request().request_id());
  if (refused_any(*call, request_id)) {
    return;
  }
  write_as_session(
      call,
      [id = *request_id](const chat::Authority& authority) {
        return sealed(chat::LogOut{{.id = id}, authority});
      },
      [call](const chat::CommandResult& result) {
        call->response().set_position(result.position.value());
        call->succeed();
      });
}

void change_password(const CallPtr<v1::ChangePasswordRequest, v1::ChangePasswordResponse>& call) {
  const auto password = chat::check_password(call->request().password());
  const auto new_password = chat::check_password(call->request().new_password(), "new_password");
  const auto request_id = request_id_of(*call, call->request().request_id());
  if (refused_any(*call, password, new_password, request_id)) {
    return;
  }
  PasswordWrite write;
  write.password = call->request().password();
  write.make = [id = *request_id](const chat::Authority& authority, chat::PasswordVersion checked) {
    return sealed(chat::ChangePassword{{.id = id}, authority, checked, {}});
  };
  write.prepare = [call](chat::Command command, std::move_only_function<void(chat::Command)> propose) {
    call->service().passwords.hash(call->request().new_password(), call->deadline(),
                                   [call, command = std::move(command),
                                    propose = std::move(propose)](base::Result<std::string> hash) mutable {
                                     if (!hash) {
                                       call->fail(std::move(hash).error());
                                       return;
                                     }
                                     // The digest leaves passwords out, so the command stays the one that was
                                     // sealed.
                                     std::get<chat::ChangePassword>(command).new_password_hash =
                                         *std::move(hash);
                                     propose(std::move(command));
                                   });
  };
  write.answer = [call](const chat::CommandResult& result) {
    call->response().set_position(result.position.value());
    call->succeed();
  };
  write_with_password(call, std::move(write));
}

}  // namespace parley::service
