#include "service/authorize.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "chat/errors.h"
#include "chat/token.h"
#include "chat/validate.h"

namespace parley::service {
namespace {

base::Error unauthenticated(std::string reason, std::string message) {
  return base::refused(base::Code::unauthenticated, std::move(reason), std::move(message));
}

// "Bearer TOKEN", the first word in any case.
std::optional<std::string_view> bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const bool begins =
      authorization.size() > kScheme.size() &&
      std::ranges::equal(kScheme, authorization.substr(0, kScheme.size()), {}, {}, [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      });
  return begins ? std::optional(authorization.substr(kScheme.size())) : std::nullopt;
}

// One look for a session; the second, behind the barrier, only if the first did not know it.
struct SessionLook : std::enable_shared_from_this<SessionLook> {
  chat::SessionHash session;
  node::Deadline deadline;
  SessionQuery query;
  std::move_only_function<void(base::Error)> refuse;

  // True: it is answered.
  bool look(Service::State& service, base::Result<chat::Reader*> reader, const node::AsOf& as_of,
            bool is_last) {
    if (!reader) {
      refuse(std::move(reader).error());
      return true;
    }
    auto info = (*reader)->session(session);
    if (!info) {
      refuse(std::move(info).error());
      return true;
    }
    if (*info) {
      service.sessions.add(session, (*info)->account);
      query(**reader, **info, as_of);
      return true;
    }
    if (is_last) {
      refuse(chat::session_ended());
    }
    return is_last;
  }
};

// The write of a session that this node does not know (yet): rule 5.
void look_up_writer(const CallBasePtr& call, const chat::SessionHash& session, MakeCommand make,
                    WriteAnswer answer) {
  call->service().barrier->read(call->deadline(),
                                [call, session, make = std::move(make), answer = std::move(answer)](
                                    base::Result<chat::Reader*> reader, const node::AsOf&) mutable {
                                  if (!reader) {
                                    call->fail(std::move(reader).error());
                                    return;
                                  }
                                  auto info = (*reader)->session(session);
                                  if (!info) {
                                    call->fail(std::move(info).error());
                                    return;
                                  }
                                  if (*info) {
                                    call->service().sessions.add(session, (*info)->account);
                                    write_command(call, make({(*info)->account, session}), std::move(answer));
                                    return;
                                  }
                                  auto remembered = (*reader)->remembered(make({chat::AccountId(), session}));
                                  if (!remembered) {
                                    call->fail(std::move(remembered).error());
                                  } else if (!*remembered) {
                                    call->fail(chat::session_ended());
                                  } else if ((*remembered)->verdict != chat::Verdict::done) {
                                    call->fail(chat::to_error(**remembered));
                                  } else {
                                    answer(**remembered);
                                  }
                                });
}

}  // namespace

base::Result<chat::SessionHash> session_of(const node::ChatNode& node, const std::string& authorization) {
  if (authorization.empty()) {
    return std::unexpected(unauthenticated("TOKEN_MISSING", "This call needs a token; log in first."));
  }
  const auto text = bearer(authorization);
  if (!text) {
    return std::unexpected(unauthenticated("TOKEN_MALFORMED", "The authorization is not \"Bearer TOKEN\"."));
  }
  const auto key = node.token_key();
  if (!key) {
    return std::unexpected(not_founded());
  }
  const auto session = chat::check_token(*key, *text);
  if (!session) {
    return std::unexpected(
        unauthenticated("TOKEN_MALFORMED", "The token is not one of this cluster; log in again."));
  }
  return *session;
}

void with_session(Service::State& service, const chat::SessionHash& session, node::Deadline deadline,
                  bool stale, SessionQuery query, std::move_only_function<void(base::Error)> refuse) {
  auto look = std::make_shared<SessionLook>();
  look->session = session;
  look->deadline = deadline;
  look->query = std::move(query);
  look->refuse = std::move(refuse);
  const auto mode = stale ? node::ReadMode::stale : node::ReadMode::linearizable;
  // The query and `refuse` hold what keeps the state alive until one of them has been called.
  service.node.read(
      mode, deadline, [&service, look, stale](base::Result<chat::Reader*> reader, const node::AsOf& as_of) {
        if (look->look(service, std::move(reader), as_of, !stale)) {
          return;
        }
        service.barrier->read(look->deadline, [&service, look](base::Result<chat::Reader*> later,
                                                               const node::AsOf& as_of_later) {
          (void)look->look(service, std::move(later), as_of_later, true);
        });
      });
}

void read_as_session(const CallBasePtr& call, bool stale, SessionQuery query) {
  auto session = session_of(call->node(), call->authorization());
  if (!session) {
    call->fail(std::move(session).error());
    return;
  }
  with_session(call->service(), *session, call->deadline(), stale, std::move(query),
               [call](base::Error error) { call->fail(std::move(error)); });
}

void write_command(const CallBasePtr& call, chat::Command command, WriteAnswer answer) {
  call->note_proposed();
  call->node().write(std::move(command), call->deadline(),
                     [call, answer = std::move(answer)](base::Result<chat::CommandResult> result) mutable {
                       call->post([call, answer = std::move(answer), result = std::move(result)]() mutable {
                         if (!result) {
                           call->fail(std::move(result).error());
                         } else if (result->verdict != chat::Verdict::done) {
                           call->fail(chat::to_error(*result));
                         } else {
                           answer(*result);
                         }
                       });
                     });
}

void write_as_session(const CallBasePtr& call, MakeCommand make, WriteAnswer answer) {
  const auto session = session_of(call->node(), call->authorization());
  if (!session) {
    call->fail(session.error());
    return;
  }
  if (const auto account = call->service().sessions.find(*session)) {
    write_command(call, make({*account, *session}), std::move(answer));
    return;
  }
  // Known to this node without asking anyone?
  call->node().read(node::ReadMode::stale, call->deadline(),
                    [call, session = *session, make = std::move(make), answer = std::move(answer)](
                        base::Result<chat::Reader*> reader, const node::AsOf&) mutable {
                      if (!reader) {
                        call->fail(std::move(reader).error());
                        return;
                      }
                      const auto info = (*reader)->session(session);
                      if (!info || !*info) {
                        look_up_writer(call, session, std::move(make), std::move(answer));
                        return;
                      }
                      call->service().sessions.add(session, (*info)->account);
                      write_command(call, make({(*info)->account, session}), std::move(answer));
                    });
}

base::RequestId new_request_id(const node::ChatNode& node) {
  std::array<std::uint8_t, 10> random{};
  randombytes_buf(random.data(), random.size());
  return base::make_request_id(node.server_time_unix_ms(), random);
}

base::Result<base::RequestId> request_id_of(CallBase& call, const std::string& text) {
  if (!text.empty()) {
    return chat::check_request_id(text);
  }
  const auto id = new_request_id(call.node());
  call.note_request_id(id);
  return id;
}

}  // namespace parley::service
