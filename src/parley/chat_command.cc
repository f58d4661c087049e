// chat: an open conversation. The watch starts before the history is read, so that nothing falls in between;
// what both bring is shown once (ChatLog).
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <memory>

#include "client/watch.h"
#include "parley/app.h"
#include "parley/chat_log.h"
#include "parley/chat_sender.h"
#include "parley/input.h"
#include "parley/line_editor.h"
#include "parley/mailbox.h"
#include "parley/signals.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

constexpr std::int32_t kHistoryMessages = 30;
constexpr std::size_t kQuotedChars = 40;

// The beginning of a message, to tell which one is meant.
std::string quote(const std::string& body) {
  std::size_t length = std::min(body.size(), kQuotedChars);
  // Never half a character.
  while (length > 0 && length < body.size() && (static_cast<unsigned char>(body[length]) & 0xc0U) == 0x80) {
    --length;
  }
  return fmt::format("\"{}{}\"", terminal_line(std::string_view(body).substr(0, length)),
                     length < body.size() ? "..." : "");
}

class Chat final : public client::WatchHandler {
 public:
  Chat(Session& session, ChatParties parties)
      : session_(session),
        log_(std::move(parties)),
        editor_(terminal_line(session.profile().account) + "> ",
                [this](std::optional<std::string> line) { entered(std::move(line)); }),
        sender_(std::make_unique<ChatSender>(session.client(), log_.parties(), mailbox_, callbacks())) {}

  ExitCode run(const Signals& signals) {
    editor_.print_above(fmt::format("-- you are talking to {}; /help helps, /quit leaves",
                                    terminal_line(log_.parties().peer)));
    auto watch = std::make_unique<client::Watch>(session_.client(), client::WatchStart{}, *this);
    while (!leaving_) {
      std::array<pollfd, 3> files = {pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                                     pollfd{.fd = mailbox_.file(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = signals.file(), .events = POLLIN, .revents = 0}};
      ::poll(files.data(), files.size(), -1);
      while (const auto signal = signals.take()) {
        if (*signal == SIGWINCH) {
          editor_.on_resize();
        } else {
          leaving_ = true;
        }
      }
      mailbox_.run_all();
      if (!leaving_ && files[0].revents != 0) {
        editor_.on_readable();
      }
    }
    watch.reset();
    sender_->stop();
    mailbox_.run_all();  // what became of the last sends
    return code_;
  }

  // WatchHandler: the watch's thread.
  void on_connected(const std::string& server, std::uint64_t) override {
    mailbox_.post([this, server] {
      if (!history_was_asked_) {
        history_was_asked_ = true;
        sender_fetch_history();
      }
      if (in_trouble_) {
        show(fmt::format("-- connected again, to {}", server));
      }
      in_trouble_ = false;
    });
  }
  void on_event(const v1::WatchResponse& event) override {
    if (event.has_heartbeat()) {
      return;
    }
    mailbox_.post([this, event] {
      if (history_is_shown_) {
        show_event(event);
      } else {
        waiting_.push_back(event);
      }
    });
  }
  void on_resync() override {
    mailbox_.post([this] { sender_fetch_history(); });
  }
  void on_trouble(const std::string& server, const base::Error& error) override {
    mailbox_.post([this, server, error] {
      if (!in_trouble_) {
        show(fmt::format("-- {}: {}; asking another node", server, describe(error)));
      }
      in_trouble_ = true;
    });
  }
  void on_end(const base::Error& error) override {
    mailbox_.post([this, error] {
      show("-- the conversation ends: " + describe(error));
      code_ = exit_code_of(error);
      leaving_ = true;
    });
  }

 private:
  ChatCallbacks callbacks() {
    return {
        .on_sent = [this](const std::string& body, const SendOutcome& outcome) { sent(body, outcome); },
        .on_retry =
            [this](const std::string& body, const client::Retry& retry) {
              show(fmt::format("-- {}, asking again: {}",
                               retry.error.outcome == base::Outcome::unknown ? "unknown whether it was sent"
                                                                             : "not sent yet",
                               quote(body)));
            },
        .on_history = [this](const auto& history) { show_history(history); }};
  }

  void show(std::string_view line) { editor_.print_above(line); }

  void show_event(const v1::WatchResponse& event) {
    if (const auto line = log_.event(event)) {
      show(*line);
    }
    mark_shown_as_read();
  }

  void show_history(const base::Result<std::vector<v1::Message>>& history) {
    if (!history) {
      show("-- the history could not be read: " + describe(history.error()));
    } else {
      for (const v1::Message& message : *history) {
        if (const auto line = log_.message(message)) {
          show(*line);
        }
      }
    }
    history_is_shown_ = true;
    for (const v1::WatchResponse& event : std::exchange(waiting_, {})) {
      show_event(event);
    }
    mark_shown_as_read();
  }

  void mark_shown_as_read() {
    auto ids = log_.take_unread();
    if (!ids.empty()) {
      sender_->mark_read(std::move(ids));
    }
  }

  void sender_fetch_history() { sender_->fetch_history(kHistoryMessages); }

  void sent(const std::string& body, const SendOutcome& outcome) {
    if (const auto* const done = std::get_if<client::Done<v1::SendMessageResponse>>(&outcome)) {
      if (const auto line = log_.message(done->answer.message())) {
        show(*line);
      }
    } else if (const auto* const refused = std::get_if<client::Refused>(&outcome)) {
      show(fmt::format("!! NOT SENT: {}: {}", quote(body), describe(refused->error)));
    } else {
      const auto& unknown = std::get<client::Unknown>(outcome);
      show(fmt::format("!! UNKNOWN whether it was sent: {}: {}", quote(body), describe(unknown.error)));
      show(
          fmt::format("   this with the same text asks again, and never sends it twice:\n"
                      "   parley send {} --recipient-id {} --request-id {} -- TEXT",
                      terminal_line(log_.parties().peer), log_.parties().peer_id, unknown.request_id));
      code_ = ExitCode::unknown;
    }
  }

  void entered(std::optional<std::string> line) {
    if (!line || *line == "/quit") {
      leaving_ = true;
    } else if (*line == "/help") {
      show(
          "-- Enter sends the line. Arrow keys move in it and bring back earlier ones.\n"
          "-- /help   this\n"
          "-- /quit   leave (so does Ctrl-D)\n"
          "-- //text  sends \"/text\"");
    } else if (line->starts_with("//")) {
      send(line->substr(1));
    } else if (line->starts_with("/")) {
      show("-- there is no command " + terminal_line(*line) + "; /help tells which there are");
    } else if (!is_blank(*line)) {
      send(*std::move(line));
    }
  }

  void send(std::string body) {
    if (const auto good = check_body(body); !good) {
      show(fmt::format("!! NOT SENT: {}: {}", quote(body), describe(good.error())));
      return;
    }
    sender_->send(std::move(body));
  }

  Session& session_;
  Mailbox mailbox_;
  ChatLog log_;
  LineEditor editor_;
  std::unique_ptr<ChatSender> sender_;
  std::vector<v1::WatchResponse> waiting_;  // events that came before the history
  bool history_was_asked_ = false;
  bool history_is_shown_ = false;
  bool in_trouble_ = false;
  bool leaving_ = false;
  ExitCode code_ = ExitCode::done;
};

ExitCode chat(Session& session, const std::string& name) {
  if (session.json()) {
    return session.fail_usage("chat is a conversation on a terminal, not JSON; scripts use send and watch");
  }
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  if (const auto good = check_name(name); !good) {
    return session.fail(good.error());
  }
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    return session.fail_usage("chat needs a terminal; scripts use send and watch");
  }
  const Signals signals;  // before the client's threads
  v1::GetAccountRequest request;
  request.set_name(name);
  base::Result<v1::GetAccountResponse> peer;
  {
    Progress progress("looking for " + terminal_line(name));
    client::CallOptions call = session.call(progress);
    peer = session.client().get_account(request, call);
  }
  if (!peer) {
    return session.fail(peer.error());
  }
  if (session.interrupted_by() != 0) {
    return ExitCode::unavailable;
  }
  Chat open(session, {.own_id = session.profile().account_id,
                      .peer_id = peer->account().id(),
                      .peer = peer->account().name()});
  return open.run(signals);
}

}  // namespace

void add_chat_command(CLI::App& app, Chosen& chosen) {
  const auto name = std::make_shared<std::string>();
  CLI::App& command =
      add_command(app, "chat", "An open conversation: type, and see what comes in", "parley chat bob");
  command.add_option("NAME", *name, "With whom")->required()->type_name("");
  command.callback(
      [&chosen, name] { chosen.run = [name](Session& session) { return chat(session, *name); }; });
}

}  // namespace parley::cli
