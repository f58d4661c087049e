// register, login, logout, passwd, delete-account, users.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "parley/app.h"
#include "parley/input.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

// In each command that changes the profile, `progress` outlives the room for it, so that a signal that comes
// late leaves nothing behind; and all of that is over before anything is printed: nobody may be there to
// read.

template <class Answer>
base::Result<void> keep_session(Session& session, ProfileRoom& room,
                                const client::WriteOutcome<Answer>& outcome) {
  const auto* const done = std::get_if<client::Done<Answer>>(&outcome);
  return done == nullptr ? base::Result<void>()
                         : session.remember(room, done->answer.account(), done->answer.token());
}

// After finish(). A session that is lost is no place where scripts may go on.
ExitCode tell_kept(const Session& session, const base::Result<void>& kept, ExitCode code) {
  if (kept) {
    return code;
  }
  session.tell_not_kept(kept.error());
  return ExitCode::usage;
}

ExitCode register_account(Session& session, const std::string& name, const std::string& request_id) {
  if (const auto can = session.can_remember(); !can) {
    return session.fail(can.error());
  }
  if (const auto good = check_name(name); !good) {
    return session.fail(good.error());
  }
  const auto password = read_new_password(session.password_from(), "New password: ");
  if (!password) {
    return session.fail(password.error());
  }
  v1::CreateAccountRequest request;
  request.set_name(name);
  request.set_password(*password);
  request.set_request_id(request_id);
  client::WriteOutcome<v1::CreateAccountResponse> outcome;
  base::Result<void> kept;
  {
    Progress progress("registering");
    auto room = session.make_room();
    if (!room) {
      progress.end();
      return session.fail(room.error());
    }
    auto call = session.call(progress);
    call.unknown_before = !request_id.empty();
    outcome = session.client().create_account(request, call);
    kept = keep_session(session, *room, outcome);
  }
  const ExitCode code = session.finish(outcome, [](const v1::CreateAccountResponse& answer) {
    print_line(fmt::format("registered {}", terminal_line(answer.account().name())));
  });
  return tell_kept(session, kept, code);
}

ExitCode log_in(Session& session, const std::string& name) {
  if (const auto can = session.can_remember(); !can) {
    return session.fail(can.error());
  }
  if (const auto good = check_name(name); !good) {
    return session.fail(good.error());
  }
  const auto password = read_password(session.password_from(), "Password: ");
  if (!password) {
    return session.fail(password.error());
  }
  v1::LogInRequest request;
  request.set_name(name);
  request.set_password(*password);
  client::WriteOutcome<v1::LogInResponse> outcome;
  base::Result<void> kept;
  {
    Progress progress("logging in");
    auto room = session.make_room();
    if (!room) {
      progress.end();
      return session.fail(room.error());
    }
    outcome = session.client().log_in(request, session.call(progress));
    kept = keep_session(session, *room, outcome);
  }
  const ExitCode code = session.finish(outcome, [](const v1::LogInResponse& answer) {
    print_line(fmt::format("logged in as {} until {}", terminal_line(answer.account().name()),
                           local_time(answer.expires_at())));
  });
  return tell_kept(session, kept, code);
}

// Whatever it ended by: a session that has ended already is no use either.
bool is_over(const client::WriteOutcome<v1::LogOutResponse>& outcome) {
  const auto* const refused = std::get_if<client::Refused>(&outcome);
  return refused == nullptr ? std::holds_alternative<client::Done<v1::LogOutResponse>>(outcome)
                            : refused->error.code == base::Code::unauthenticated;
}

ExitCode log_out(Session& session, const std::string& request_id) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  v1::LogOutRequest request;
  request.set_request_id(request_id);
  client::WriteOutcome<v1::LogOutResponse> outcome;
  base::Result<void> kept;
  {
    Progress progress("logging out");
    auto room = session.make_room();
    if (!room) {
      progress.end();
      return session.fail(room.error());
    }
    auto call = session.call(progress);
    call.unknown_before = !request_id.empty();
    outcome = session.client().log_out(request, call);
    if (is_over(outcome)) {
      kept = session.forget(*room);
    }
  }
  const ExitCode code = session.finish(outcome, [](const v1::LogOutResponse&) { print_line("logged out"); });
  if (!kept) {
    session.tell_not_kept(kept.error());  // nothing is lost by that
  }
  return code;
}

ExitCode change_password(Session& session, const std::string& request_id) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  const auto old_password = read_password(session.password_from(), "Present password: ");
  if (!old_password) {
    return session.fail(old_password.error());
  }
  const auto new_password = read_new_password(session.password_from(), "New password: ");
  if (!new_password) {
    return session.fail(new_password.error());
  }
  v1::ChangePasswordRequest request;
  request.set_password(*old_password);
  request.set_new_password(*new_password);
  request.set_request_id(request_id);
  Progress progress("changing the password");
  auto call = session.call(progress);
  call.unknown_before = !request_id.empty();
  const auto outcome = session.client().change_password(request, call);
  progress.end();
  return session.finish(outcome, [](const v1::ChangePasswordResponse&) {
    print_line("password changed; other sessions of this account have ended");
  });
}

ExitCode delete_account(Session& session, const std::string& request_id) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  const auto password = read_password(
      session.password_from(),
      fmt::format("Password of {}, to delete the account for good: ", session.profile().account));
  if (!password) {
    return session.fail(password.error());
  }
  v1::DeleteAccountRequest request;
  request.set_password(*password);
  request.set_request_id(request_id);
  client::WriteOutcome<v1::DeleteAccountResponse> outcome;
  base::Result<void> kept;
  {
    Progress progress("deleting the account");
    auto room = session.make_room();
    if (!room) {
      progress.end();
      return session.fail(room.error());
    }
    auto call = session.call(progress);
    call.unknown_before = !request_id.empty();
    outcome = session.client().delete_account(request, call);
    if (std::holds_alternative<client::Done<v1::DeleteAccountResponse>>(outcome)) {
      kept = session.forget(*room);
    }
  }
  const ExitCode code =
      session.finish(outcome, [](const v1::DeleteAccountResponse&) { print_line("account deleted"); });
  if (!kept) {
    session.tell_not_kept(kept.error());  // nothing is lost by that
  }
  return code;
}

struct UsersOptions {
  std::string pattern = "*";
  std::uint64_t limit = 0;  // 0: all
  bool stale = false;
};

ExitCode list_users(Session& session, const UsersOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  if (const auto good = check_pattern(options.pattern); !good) {
    return session.fail(good.error());
  }
  std::uint64_t shown = 0;
  v1::ListAccountsRequest request;
  request.set_pattern(options.pattern);
  request.set_stale(options.stale);
  Progress progress("listing accounts");
  do {
    const std::uint64_t wanted =
        options.limit == 0 ? 500 : std::min<std::uint64_t>(options.limit - shown, 500);
    request.set_page_size(static_cast<std::int32_t>(wanted));
    const auto page = session.client().list_accounts(request, session.call(progress));
    if (!page) {
      progress.end();
      return session.fail(page.error());
    }
    progress.above([&] {
      for (const v1::Account& account : page->accounts()) {
        print_line(session.json() ? to_json(account) : terminal_line(account.name()));
        ++shown;
      }
      if (options.stale && request.page_token().empty()) {
        print_age(page->as_of(), session.json());
      }
    });
    if (session.interrupted_by() != 0) {
      return ExitCode::unavailable;
    }
    progress.set(fmt::format("listing accounts: {}", shown));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && (options.limit == 0 || shown < options.limit));
  return ExitCode::done;
}

}  // namespace

void add_account_commands(CLI::App& app, Chosen& chosen) {
  const auto name = std::make_shared<std::string>();
  const auto request_id = std::make_shared<std::string>();

  CLI::App& create =
      add_command(app, "register", "Make an account, and log in with it", "parley register ann");
  create.add_option("NAME", *name, "1 to 32 of a-z 0-9 . _ -")->required()->type_name("");
  add_request_id(create, *request_id);
  create.callback([&chosen, name, request_id] {
    chosen.run = [name, request_id](Session& session) {
      return register_account(session, *name, *request_id);
    };
  });

  CLI::App& login = add_command(app, "login", "Open a session, and keep it in the profile",
                                "parley --servers 127.0.0.1:7700,127.0.0.1:7710 login ann");
  login.add_option("NAME", *name, "The account")->required()->type_name("");
  login.callback(
      [&chosen, name] { chosen.run = [name](Session& session) { return log_in(session, *name); }; });

  CLI::App& logout = add_command(app, "logout", "End this profile's session", "parley logout");
  add_request_id(logout, *request_id);
  logout.callback([&chosen, request_id] {
    chosen.run = [request_id](Session& session) { return log_out(session, *request_id); };
  });

  CLI::App& passwd = add_command(app, "passwd", "Change the password; other sessions end",
                                 "printf '%s\\n' \"$old\" \"$new\" | parley passwd --password-stdin");
  add_request_id(passwd, *request_id);
  passwd.callback([&chosen, request_id] {
    chosen.run = [request_id](Session& session) { return change_password(session, *request_id); };
  });

  CLI::App& remove =
      add_command(app, "delete-account", "Delete the account, and everything it received, for good",
                  "parley delete-account");
  add_request_id(remove, *request_id);
  remove.callback([&chosen, request_id] {
    chosen.run = [request_id](Session& session) { return delete_account(session, *request_id); };
  });

  const auto users = std::make_shared<UsersOptions>();
  CLI::App& list = add_command(app, "users", "List accounts by name", "parley users 'a*' --limit 20");
  list.add_option("PATTERN", users->pattern, "A glob of at most 64 characters: * ? [...] (default: all)")
      ->type_name("");
  list.add_option("--limit", users->limit, "At most so many (default: all)")
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("N");
  list.add_flag("--stale", users->stale,
                "From what the node has, without asking the others; says how old it is");
  list.callback(
      [&chosen, users] { chosen.run = [users](Session& session) { return list_users(session, *users); }; });
}

}  // namespace parley::cli
