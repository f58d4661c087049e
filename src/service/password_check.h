// Passwords against accounts: checked in the pool, outside any snapshot, and the version that was checked
// goes into the command, so that apply refuses it once the password has changed (rule 4). Private to service.
// Owned by: nobody. Any thread.
#pragma once

#include <functional>
#include <string>

#include "service/authorize.h"

namespace parley::service {

// Whose password: what the snapshot says of it.
using FindCredentials = std::function<base::Result<std::optional<chat::Credentials>>(chat::Reader&)>;

// Opens a session for the account that `find` finds and whose password is `password`; nobody there and a
// wrong password end the call with one and the same `wrong`.
struct OpenedSession {
  std::string token;
  chat::CommandResult result;
};
void open_session(const CallBasePtr& call, FindCredentials find, std::string password, base::Error wrong,
                  std::move_only_function<void(const OpenedSession&)> opened);

// A write of a session that needs the account's password as well. `make` is given the checked version; before
// a refusal because of token or password the write's remembered result is looked up in the same snapshot, by
// `make` with no version (rule 5).
struct PasswordWrite {
  std::string password;
  std::function<chat::Command(const chat::Authority&, chat::PasswordVersion)> make;
  // Makes the command ready once the password matched (hashes a new one); none: at once.
  std::move_only_function<void(chat::Command, std::move_only_function<void(chat::Command)>)> prepare;
  WriteAnswer answer;
};
void write_with_password(const CallBasePtr& call, PasswordWrite write);

// A token for a new session, or that there is no cluster yet.
[[nodiscard]] base::Result<chat::NewToken> new_token(const node::ChatNode& node);

}  // namespace parley::service
