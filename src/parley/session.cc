#include "parley/session.h"

#include <fmt/format.h>

#include <limits>
#include <memory>

#include "base/address.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "parley/input.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

constexpr const char* kDefaultServer = "127.0.0.1:7700";
// Where nobody listens at all, people want to know it soon; a node that is just being started gets this long.
constexpr std::chrono::milliseconds kNobodyAfter{1'000};

base::Error wrong_profile(std::string what) {
  return base::refused(base::Code::failed_precondition, "PROFILE", std::move(what));
}

}  // namespace

base::Result<Session> Session::open(Settings settings) {
  auto folder = profile_folder();
  if (!folder) {
    return std::unexpected(wrong_profile(folder.error()));
  }
  ProfileStore store(*std::move(folder), settings.profile);
  auto profile = store.load();
  if (!profile) {
    return std::unexpected(wrong_profile(profile.error()));
  }
  for (const std::string& server : profile->servers) {
    if (const auto address = base::parse_address(server); !address) {
      return std::unexpected(
          wrong_profile(fmt::format("{}: servers: {}", store.file().string(), address.error())));
    }
  }
  return Session(std::move(settings), std::move(store), *std::move(profile));
}

std::chrono::milliseconds Session::timeout() const {
  return std::chrono::milliseconds(static_cast<std::int64_t>(settings_.timeout_s * 1000));
}

PasswordFrom Session::password_from() const {
  return settings_.password_stdin ? PasswordFrom::standard_input : PasswordFrom::terminal;
}

std::vector<std::string> Session::servers() const {
  if (!settings_.servers.empty()) {
    return settings_.servers;
  }
  return profile_.servers.empty() ? std::vector<std::string>{kDefaultServer} : profile_.servers;
}

client::ClientOptions Session::client_options() const {
  client::ClientOptions options;
  for (const std::string& server : servers()) {
    const auto address = base::parse_address(server);
    base::ensure(address.has_value(), "addresses were checked where they came from");
    options.servers.push_back(*address);
  }
  if (can_be_sent_as_token(profile_.token)) {
    options.token = profile_.token;
  }
  options.timeout = timeout();
  return options;
}

client::Client& Session::client() {
  if (!client_) {
    client_ = std::make_unique<client::Client>(client_options());
  }
  return *client_;
}

bool Session::is_logged_in() const {
  if (can_be_sent_as_token(profile_.token)) {
    return true;
  }
  const std::string what = profile_.token.empty()
                               ? std::string("nobody is logged in")
                               : fmt::format("{}: the token is none", store_.file().string());
  print_error(base::refused(base::Code::unauthenticated, "NOT_LOGGED_IN", what + "; try: parley login NAME"),
              json());
  return false;
}

base::Result<void> Session::can_remember() const {
  if (const auto prepared = store_.prepare(); !prepared) {
    return std::unexpected(wrong_profile(prepared.error()));
  }
  return {};
}

base::Result<ProfileRoom> Session::make_room() const {
  Profile largest{.servers = servers(),
                  .account = std::string(base::kMaxNameBytes, 'x'),
                  .account_id = std::numeric_limits<std::int64_t>::max(),
                  .token = std::string(kMaxTokenBytes, 'x')};
  // What is forgotten keeps those of the profile.
  largest.servers.insert(largest.servers.end(), profile_.servers.begin(), profile_.servers.end());
  auto room = store_.make_room(largest);
  if (!room) {
    return std::unexpected(wrong_profile(room.error()));
  }
  return *std::move(room);
}

base::Result<void> Session::remember(ProfileRoom& room, const v1::Account& account,
                                     const std::string& token) {
  profile_.servers = servers();
  profile_.account = account.name();
  profile_.account_id = account.id();
  profile_.token = token;
  if (const auto kept = room.keep(profile_); !kept) {
    return std::unexpected(wrong_profile(fmt::format(
        "the session could not be kept: {}; parley login {} opens another", kept.error(), account.name())));
  }
  return {};
}

base::Result<void> Session::forget(ProfileRoom& room) {
  profile_.account.clear();
  profile_.account_id = 0;
  profile_.token.clear();
  if (const auto kept = room.keep(profile_); !kept) {
    return std::unexpected(
        wrong_profile("the session that is over is still in the profile: " + kept.error()));
  }
  return {};
}

void Session::tell_not_kept(const base::Error& error) const {
  if (has_written_) {
    print_done_but(error, json());
  } else {
    print_error(error, json());
  }
}

client::CallOptions Session::call(Progress& progress) {
  client::CallOptions call;
  interrupted_by_ = progress.interruption().signal();
  call.stop = progress.interruption().stop_token();
  call.nobody_after = kNobodyAfter;
  call.on_retry = [&progress, as_json = json(),
                   told = std::make_shared<bool>(false)](const client::Retry& retry) {
    const bool unknown = retry.error.outcome == base::Outcome::unknown;
    const std::string line = fmt::format("{}: {}; {}asking again", terminal_line(retry.server),
                                         describe(retry.error), unknown ? "outcome unknown, " : "");
    if (unknown && !std::exchange(*told, true)) {
      progress.say(as_json ? retry_json(retry.server, retry.error) : "parley: " + line);
    }
    progress.set(line);
  };
  return call;
}

base::Error Session::to_tell(base::Error error) const {
  if (error.code == base::Code::cancelled && interrupted_by() != 0) {
    error.message = "interrupted";
  }
  return error;
}

ExitCode Session::fail(const base::Error& failure) const {
  const base::Error error = to_tell(failure);
  if (json()) {
    print_error(error, true);
  } else if (exit_code_of(error) == ExitCode::unavailable) {
    print_trouble("unavailable: " + describe(error));
    if (error.reason == "NO_CONNECTION" && settings_.servers.empty() && profile_.servers.empty()) {
      print_trouble("that is where nodes are looked for unless told: --servers HOST:PORT,HOST:PORT,...");
    }
  } else {
    print_error(error, false);
  }
  return exit_code_of(error);
}

ExitCode Session::fail_usage(const std::string& what) const { return fail(usage_error(what)); }

ExitCode Session::unknown(const client::Unknown& unknown) const {
  const base::Error error = to_tell(unknown.error);
  if (json()) {
    fmt::print(stderr, "{}\n", to_json(error, unknown.request_id));
    return ExitCode::unknown;
  }
  print_trouble("outcome unknown: it may have happened, or may still happen: " + describe(error));
  if (!unknown.request_id.empty()) {
    print_trouble("the same command with --request-id " + unknown.request_id +
                  " asks again, and never does it twice");
  } else {
    print_trouble("the same command again does no harm");
  }
  return ExitCode::unknown;
}

}  // namespace parley::cli
