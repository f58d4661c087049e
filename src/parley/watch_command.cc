// watch.
#include <fmt/format.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>

#include "client/watch.h"
#include "parley/app.h"
#include "parley/mailbox.h"
#include "parley/signals.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

using std::chrono::steady_clock;

struct WatchOptions {
  std::optional<std::uint64_t> after;
  std::uint64_t count = 0;  // 0: for ever
};

std::string event_line(const v1::WatchResponse& event) {
  switch (event.event_case()) {
    case v1::WatchResponse::kMessage:
      return message_line(event.message());
    case v1::WatchResponse::kRead:
      return fmt::format("{} read {}", terminal_line(event.read().reader()),
                         id_list(event.read().message_ids()));
    case v1::WatchResponse::kDeleted:
      return fmt::format("deleted {}", id_list(event.deleted().message_ids()));
    case v1::WatchResponse::kAccountGone:
      return fmt::format("{} has deleted the account", terminal_line(event.account_gone().name()));
    default:
      return fmt::format("event at {} of a kind that this version does not know", event.position());
  }
}

// Everything is printed by the main thread.
class WatchPrinter final : public client::WatchHandler {
 public:
  WatchPrinter(const Session& session, Mailbox& mailbox, std::uint64_t count)
      : session_(session), mailbox_(mailbox), count_(count) {}

  void on_connected(const std::string& server, std::uint64_t position) override {
    mailbox_.post([this, server, position] {
      if (was_in_trouble_ || !connected_) {
        notice(
            fmt::format("watching at {}, from position {}", server, position),
            fmt::format(R"({{"watching":{{"server":{},"position":"{}"}}}})", json_string(server), position));
      }
      connected_ = true;
      was_in_trouble_ = false;
    });
  }
  void on_event(const v1::WatchResponse& event) override {
    mailbox_.post([this, event] {
      if (is_done()) {
        return;
      }
      if (session_.json()) {
        print_line(to_json(event));
      } else if (!event.has_heartbeat()) {
        print_line(event_line(event));
      }
      shown_ += event.has_heartbeat() ? 0 : 1;
    });
  }
  void on_resync() override {
    mailbox_.post([this] {
      notice("events were missed, the position was too old; read inbox and history again",
             R"({"resync":{}})");
    });
  }
  void on_trouble(const std::string& server, const base::Error& error) override {
    mailbox_.post([this, server, error] {
      if (!was_in_trouble_) {
        notice(fmt::format("{}: {}; asking another node", server, describe(error)),
               retry_json(server, error));
      }
      was_in_trouble_ = true;
      last_error_ = error;
    });
  }
  void on_end(const base::Error& error) override {
    mailbox_.post([this, error] { end_ = error; });
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] bool is_done() const { return count_ != 0 && shown_ >= count_; }
  [[nodiscard]] const std::optional<base::Error>& end() const { return end_; }
  [[nodiscard]] const base::Error& last_error() const { return last_error_; }

 private:
  // Not an event, and so on stderr.
  void notice(std::string_view text, std::string_view json) const {
    if (session_.json()) {
      fmt::print(stderr, "{}\n", json);
      std::fflush(stderr);
    } else {
      print_trouble(text);
    }
  }

  const Session& session_;
  Mailbox& mailbox_;
  const std::uint64_t count_;
  std::uint64_t shown_ = 0;
  bool connected_ = false;
  bool was_in_trouble_ = false;
  std::optional<base::Error> end_;
  base::Error last_error_ =
      base::refused(base::Code::unavailable, "NO_CONNECTION", "no node answered in time");
};

ExitCode watch(Session& session, const WatchOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  const Signals signals;  // before the client's threads
  Mailbox mailbox;
  WatchPrinter printer(session, mailbox, options.count);
  const client::Watch watch(session.client(), {.after_position = options.after}, printer);
  const auto deadline = steady_clock::now() + session.timeout();
  while (!printer.end() && !printer.is_done()) {
    std::array<pollfd, 2> files = {pollfd{.fd = signals.file(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = mailbox.file(), .events = POLLIN, .revents = 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (!printer.connected() && left <= 0) {
      return session.fail(printer.last_error());
    }
    ::poll(files.data(), files.size(), printer.connected() ? -1 : static_cast<int>(left) + 1);
    mailbox.run_all();
    if (const auto signal = signals.take(); signal && *signal != SIGWINCH) {
      return ExitCode::done;
    }
  }
  return printer.end() ? session.fail(*printer.end()) : ExitCode::done;
}

}  // namespace

void add_watch_command(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<WatchOptions>();
  CLI::App& command =
      add_command(app, "watch", "Show events as they happen, until Ctrl-C; --timeout bounds the start",
                  "parley watch --json --after 1204");
  command.add_option("--after", options->after, "Begin after this position (default: from now on)")
      ->check(CLI::Validator(position_trouble, ""))
      ->type_name("POSITION");
  command
      .add_option("--count", options->count,
                  "End after so many events, heartbeats not counted (default: never)")
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("N");
  command.callback(
      [&chosen, options] { chosen.run = [options](Session& session) { return watch(session, *options); }; });
}

}  // namespace parley::cli
