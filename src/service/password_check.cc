#include "service/password_check.h"

#include <sodium.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "chat/errors.h"
#include "chat/token.h"
#include "service/fields.h"

namespace parley::service {
namespace {

struct Opening {
  CallBasePtr call;
  FindCredentials find;
  std::string password;
  base::Error wrong;
  std::move_only_function<void(const OpenedSession&)> opened;
};

void log_in_with(const std::shared_ptr<Opening>& opening, const chat::Credentials& credentials) {
  const auto& call = opening->call;
  auto token = new_token(call->node());
  if (!token) {
    call->fail(std::move(token).error());
    return;
  }
  chat::LogIn command{.request = {.id = new_request_id(call->node())},
                      .account = credentials.account.id,
                      .checked = credentials.version,
                      .session = token->hash};
  call->note_proposed();
  call->node().write(
      sealed(std::move(command)), call->deadline(),
      [opening, token = *std::move(token)](base::Result<chat::CommandResult> result) mutable {
        opening->call->post([opening, token = std::move(token), result = std::move(result)]() mutable {
          if (!result) {
            opening->call->fail(std::move(result).error());
          } else if (result->verdict == chat::Verdict::password_changed ||
                     result->verdict == chat::Verdict::session_ended) {
            // Account or password went between the check and apply: nobody there, then.
            opening->call->fail(opening->wrong);
          } else if (result->verdict != chat::Verdict::done) {
            opening->call->fail(chat::to_error(*result));
          } else {
            opening->call->service().sessions.add(token.hash, result->account);
            opening->opened({std::move(token.text), *std::move(result)});
          }
        });
      });
}

void check_opening(const std::shared_ptr<Opening>& opening, std::optional<chat::Credentials> credentials) {
  const auto& call = opening->call;
  std::string hash = credentials ? credentials->password_hash : std::string();
  call->service().passwords.verify(
      std::move(hash), std::move(opening->password), call->deadline(),
      [opening, credentials = std::move(credentials)](const base::Result<bool>& matches) {
        if (!matches) {
          opening->call->fail(matches.error());
        } else if (!*matches) {
          opening->call->fail(opening->wrong);
        } else {
          log_in_with(opening, *credentials);
        }
      });
}

struct CheckedWrite {
  CallBasePtr call;
  chat::SessionHash session;
  PasswordWrite write;
  chat::PasswordVersion wrong_for;  // the version that the password was found not to be
};

void begin(const std::shared_ptr<CheckedWrite>& checked);

// Refuses with `error` unless this write has been done before. In the snapshot that says so.
void refuse_unless_remembered(const std::shared_ptr<CheckedWrite>& checked, chat::Reader& reader,
                              chat::AccountId account, base::Error error) {
  const auto& call = checked->call;
  auto remembered = reader.remembered(checked->write.make({account, checked->session}, {}));
  if (!remembered) {
    call->fail(std::move(remembered).error());
  } else if (!*remembered) {
    call->fail(std::move(error));
  } else if ((*remembered)->verdict != chat::Verdict::done) {
    call->fail(chat::to_error(**remembered));
  } else {
    checked->write.answer(**remembered);
  }
}

void propose(const std::shared_ptr<CheckedWrite>& checked, const chat::Credentials& credentials) {
  auto command = checked->write.make({credentials.account.id, checked->session}, credentials.version);
  auto write = [checked](chat::Command ready) {
    write_command(checked->call, std::move(ready), std::move(checked->write.answer));
  };
  if (checked->write.prepare) {
    checked->write.prepare(std::move(command), std::move(write));
  } else {
    write(std::move(command));
  }
}

void verify(const std::shared_ptr<CheckedWrite>& checked, chat::Credentials credentials) {
  const auto& call = checked->call;
  std::string hash = credentials.password_hash;
  call->service().passwords.verify(
      std::move(hash), checked->write.password, call->deadline(),
      [checked, credentials = std::move(credentials)](const base::Result<bool>& matches) {
        if (!matches) {
          checked->call->fail(matches.error());
        } else if (*matches) {
          propose(checked, credentials);
        } else {
          checked->wrong_for = credentials.version;
          begin(checked);
        }
      });
}

// Each round is one snapshot: a wrong password is refused only by one in which it is still wrong and the
// write is not remembered. Ends at the latest with the call's deadline, which the node keeps.
void begin(const std::shared_ptr<CheckedWrite>& checked) {
  checked->call->service().barrier->read(
      checked->call->deadline(), [checked](base::Result<chat::Reader*> reader, const node::AsOf&) {
        const auto& call = checked->call;
        if (!reader) {
          call->fail(std::move(reader).error());
          return;
        }
        auto info = (*reader)->session(checked->session);
        if (!info) {
          call->fail(std::move(info).error());
          return;
        }
        if (!*info) {
          refuse_unless_remembered(checked, **reader, {}, chat::session_ended());
          return;
        }
        auto credentials = (*reader)->credentials((*info)->account);
        if (!credentials) {
          call->fail(std::move(credentials).error());
        } else if (!*credentials) {
          refuse_unless_remembered(checked, **reader, (*info)->account, chat::session_ended());
        } else if ((*credentials)->version == checked->wrong_for) {
          auto wrong = base::refused(base::Code::unauthenticated, "WRONG_PASSWORD", "The password is wrong.");
          wrong.field = "password";
          refuse_unless_remembered(checked, **reader, (*info)->account, std::move(wrong));
        } else {
          verify(checked, **std::move(credentials));
        }
      });
}

}  // namespace

base::Result<chat::NewToken> new_token(const node::ChatNode& node) {
  const auto key = node.token_key();
  if (!key) {
    return std::unexpected(not_founded());
  }
  std::array<std::uint8_t, 32> random{};
  randombytes_buf(random.data(), random.size());
  return chat::make_token(*key, random);
}

void open_session(const CallBasePtr& call, FindCredentials find, std::string password, base::Error wrong,
                  std::move_only_function<void(const OpenedSession&)> opened) {
  if (!call->node().token_key()) {
    call->fail(not_founded());
    return;
  }
  auto opening = std::make_shared<Opening>(
      Opening{call, std::move(find), std::move(password), std::move(wrong), std::move(opened)});
  call->service().barrier->read(call->deadline(),
                                [opening](base::Result<chat::Reader*> reader, const node::AsOf&) {
                                  if (!reader) {
                                    opening->call->fail(std::move(reader).error());
                                    return;
                                  }
                                  auto credentials = opening->find(**reader);
                                  if (!credentials) {
                                    opening->call->fail(std::move(credentials).error());
                                  } else {
                                    check_opening(opening, *std::move(credentials));
                                  }
                                });
}

void write_with_password(const CallBasePtr& call, PasswordWrite write) {
  const auto session = session_of(call->node(), call->authorization());
  if (!session) {
    call->fail(session.error());
    return;
  }
  begin(std::make_shared<CheckedWrite>(CheckedWrite{call, *session, std::move(write), {}}));
}

}  // namespace parley::service
