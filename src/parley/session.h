// Session: one run of `parley`: its global options, its profile, its client.
// Owned by: main. The main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "client/client.h"
#include "parley/exit_code.h"
#include "parley/interruption.h"
#include "parley/output.h"
#include "parley/password.h"
#include "parley/profile.h"
#include "parley/progress.h"

namespace parley::cli {

// The options that stand before or after any command.
struct Settings {
  std::vector<std::string> servers;  // checked
  std::string profile = "default";
  double timeout_s = 10;
  bool json = false;
  bool password_stdin = false;
};

class Session {
 public:
  // The error says which file or which variable of the environment is wrong.
  [[nodiscard]] static base::Result<Session> open(Settings settings);

  [[nodiscard]] bool json() const { return settings_.json; }
  [[nodiscard]] std::chrono::milliseconds timeout() const;
  [[nodiscard]] PasswordFrom password_from() const;
  [[nodiscard]] const Profile& profile() const { return profile_; }
  // Of the command line, else of the profile, else the default one.
  [[nodiscard]] std::vector<std::string> servers() const;
  // Made at the first call, of servers().
  [[nodiscard]] client::Client& client();
  // What it is made with.
  [[nodiscard]] client::ClientOptions client_options() const;

  // False, and trouble was told: nobody is logged in with this profile.
  [[nodiscard]] bool is_logged_in() const;
  // Whether the profile can be written, as far as is known before a person is asked for anything.
  [[nodiscard]] base::Result<void> can_remember() const;
  // Room for the profile as it will be, taken before a node is asked, so that a full disk changes nothing.
  [[nodiscard]] base::Result<ProfileRoom> make_room() const;
  // Keeps the session that a write has opened, or takes out the one that is over.
  [[nodiscard]] base::Result<void> remember(ProfileRoom& room, const v1::Account& account,
                                            const std::string& token);
  [[nodiscard]] base::Result<void> forget(ProfileRoom& room);
  // Tells that neither could be done, after finish(): a write that was done stays done.
  void tell_not_kept(const base::Error& error) const;

  // Options of a call that shows `progress`, tells of retries, and ends at an interruption.
  [[nodiscard]] client::CallOptions call(Progress& progress);
  // A write was done.
  [[nodiscard]] bool has_written() const { return has_written_; }
  // The signal that interrupted the last call; 0: none.
  [[nodiscard]] int interrupted_by() const { return interrupted_by_ ? interrupted_by_->load() : 0; }

  // Tells the trouble, for people or as JSON, and which exit code it means.
  ExitCode fail(const base::Error& failure) const;
  ExitCode fail_usage(const std::string& what) const;
  ExitCode unknown(const client::Unknown& unknown) const;

  // The end of a write: `on_done(answer)` prints what people want to know; with --json the answer is printed.
  template <class Answer, class OnDone>
  ExitCode finish(const client::WriteOutcome<Answer>& outcome, const OnDone& on_done) {
    if (const auto* const refused = std::get_if<client::Refused>(&outcome)) {
      return fail(refused->error);
    }
    if (const auto* const lost = std::get_if<client::Unknown>(&outcome)) {
      return unknown(*lost);
    }
    const Answer& answer = std::get<client::Done<Answer>>(outcome).answer;
    has_written_ = true;
    if (json()) {
      print_line(to_json(answer));
    } else {
      on_done(answer);
    }
    return ExitCode::done;
  }

 private:
  Session(Settings settings, ProfileStore store, Profile profile)
      : settings_(std::move(settings)), store_(std::move(store)), profile_(std::move(profile)) {}
  // With the reason in words, where that is an interruption.
  [[nodiscard]] base::Error to_tell(base::Error error) const;

  Settings settings_;
  ProfileStore store_;
  Profile profile_;
  std::unique_ptr<client::Client> client_;
  Interruption::Signal interrupted_by_;
  bool has_written_ = false;
};

}  // namespace parley::cli
