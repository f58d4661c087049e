#include "parley/session.h"

#include <fmt/format.h>

#include <memory>

#include "base/address.h"
#include "base/ensure.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

constexpr const char* kDefaultServer = "127.0.0.1:7700";
// Where nobody listens at all, people want to know it soon; a node that is just being started gets this long.
constexpr std::chrono::milliseconds kNobodyAfter{1'000};

}  // namespace

std::expected<Session, std::string> Session::open(Settings settings) {
  auto folder = profile_folder();
  if (!folder) {
    return std::unexpected(folder.error());
  }
  ProfileStore store(*std::move(folder), settings.profile);
  auto profile = store.load();
  if (!profile) {
    return std::unexpected(profile.error());
  }
  for (const std::string& server : profile->servers) {
    if (const auto address = base::parse_address(server); !address) {
      return std::unexpected("the profile's servers: " + address.error());
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
  options.token = profile_.token;
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
  if (profile_.token.empty()) {
    print_trouble("nobody is logged in; try: parley login NAME");
  }
  return !profile_.token.empty();
}

bool Session::save() {
  const auto saved = store_.save(profile_);
  if (!saved) {
    print_trouble(saved.error());
  }
  return saved.has_value();
}

bool Session::remember(const v1::Account& account, const std::string& token) {
  profile_.servers = servers();
  profile_.account = account.name();
  profile_.account_id = account.id();
  profile_.token = token;
  return save();
}

bool Session::forget() {
  profile_.account.clear();
  profile_.account_id = 0;
  profile_.token.clear();
  return save();
}

client::CallOptions Session::call(Progress& progress) const {
  client::CallOptions call;
  call.nobody_after = kNobodyAfter;
  call.on_retry = [&progress, told = std::make_shared<bool>(false)](const client::Retry& retry) {
    if (retry.error.outcome == base::Outcome::unknown && !*told) {
      *told = true;
      progress.say(
          fmt::format("parley: {}: {}; outcome unknown, asking again", retry.server, describe(retry.error)));
    }
    progress.set(fmt::format("{}: {}; asking again", retry.server, describe(retry.error)));
  };
  return call;
}

ExitCode Session::fail(const base::Error& error) const {
  if (json()) {
    fmt::print(stderr, "{}\n", to_json(error));
  } else if (exit_code_of(error) == ExitCode::unavailable) {
    print_trouble("unavailable: " + describe(error));
    if (error.reason == "NO_CONNECTION" && settings_.servers.empty() && profile_.servers.empty()) {
      print_trouble("that is where nodes are looked for unless told: --servers HOST:PORT,HOST:PORT,...");
    }
  } else {
    print_trouble(describe(error));
  }
  return exit_code_of(error);
}

ExitCode Session::fail_usage(const std::string& what) const {
  print_trouble(what);
  return ExitCode::usage;
}

ExitCode Session::unknown(const client::Unknown& unknown) const {
  if (json()) {
    fmt::print(stderr, "{}\n", to_json(unknown.error, unknown.request_id));
    return ExitCode::unknown;
  }
  print_trouble("outcome unknown: it may have happened, or may still happen: " + describe(unknown.error));
  if (!unknown.request_id.empty()) {
    print_trouble("the same command with --request-id " + unknown.request_id +
                  " asks again, and never does it twice");
  }
  return ExitCode::unknown;
}

}  // namespace parley::cli
