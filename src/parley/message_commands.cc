// send, inbox, history, read, delete, unread.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <ranges>
#include <vector>

#include "base/limits.h"
#include "parley/app.h"
#include "parley/input.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

struct SendOptions {
  std::string recipient;
  std::vector<std::string> words;
  std::uint64_t recipient_id = 0;
  std::string request_id;
};

// "-": standard input without its last line break. One byte more than allowed is enough to be refused.
std::string body_of(const std::vector<std::string>& words) {
  std::string body;
  if (words.size() == 1 && words.front() == "-") {
    constexpr std::size_t kMost = base::kMaxBodyBytes + 2;
    char c = 0;
    while (body.size() < kMost && std::cin.get(c)) {
      body.push_back(c);
    }
    if (body.ends_with('\n')) {
      body.pop_back();
    }
    return body;
  }
  for (const std::string& word : words) {
    body += (body.empty() ? "" : " ") + word;
  }
  return body;
}

ExitCode send(Session& session, const SendOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  if (const auto good = check_name(options.recipient); !good) {
    return session.fail(good.error());
  }
  std::string body = body_of(options.words);
  if (const auto good = check_body(body); !good) {
    return session.fail(good.error());
  }
  v1::SendMessageRequest request;
  request.set_recipient(options.recipient);
  request.set_recipient_id(options.recipient_id);
  request.set_body(std::move(body));
  request.set_request_id(options.request_id);
  Progress progress("sending");
  auto call = session.call(progress);
  call.unknown_before = !options.request_id.empty();
  const auto outcome = session.client().send_message(std::move(request), call);
  progress.end();
  return session.finish(outcome, [](const v1::SendMessageResponse& answer) {
    print_line(
        fmt::format("sent [{}] to {}", answer.message().id(), terminal_line(answer.message().recipient())));
  });
}

struct ListOptions {
  std::string peer;  // empty: the inbox
  std::uint64_t limit = 0;
  bool unread = false;
  bool newest_first = false;
  bool stale = false;
};

void print_message(const Session& session, const v1::Message& message) {
  print_line(session.json() ? to_json(message) : message_line(message));
}

// With a limit: the newest ones, and they stand oldest first like everything else unless asked otherwise.
ExitCode list_messages(Session& session, const ListOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  if (const auto good = check_name(options.peer); !good) {
    return session.fail(good.error());
  }
  const bool turn_around = options.limit != 0 && !options.newest_first;
  v1::ListMessagesRequest request;
  request.set_peer(options.peer);
  request.set_unread_only(options.unread);
  request.set_newest_first(options.newest_first || options.limit != 0);
  request.set_stale(options.stale);
  std::vector<v1::Message> kept;
  std::uint64_t count = 0;
  Progress progress("listing messages");
  do {
    const std::uint64_t wanted =
        options.limit == 0 ? 500 : std::min<std::uint64_t>(options.limit - count, 500);
    request.set_page_size(static_cast<std::int32_t>(wanted));
    const auto page = session.client().list_messages(request, session.call(progress));
    if (!page) {
      progress.end();
      return session.fail(page.error());
    }
    progress.above([&] {
      for (const v1::Message& message : page->messages()) {
        if (turn_around) {
          kept.push_back(message);
        } else {
          print_message(session, message);
        }
        ++count;
      }
      if (options.stale && request.page_token().empty()) {
        print_age(page->as_of(), session.json());
      }
    });
    if (session.interrupted_by() != 0) {
      return ExitCode::unavailable;
    }
    progress.set(fmt::format("listing messages: {}", count));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && (options.limit == 0 || count < options.limit));
  progress.end();
  for (const v1::Message& message : std::views::reverse(kept)) {
    print_message(session, message);
  }
  return ExitCode::done;
}

struct SetOptions {
  std::vector<std::uint64_t> ids;
  std::string request_id;
};

template <class Request>
Request set_request(const SetOptions& options) {
  Request request;
  request.mutable_message_ids()->Add(options.ids.begin(), options.ids.end());
  request.set_request_id(options.request_id);
  return request;
}

ExitCode mark_read(Session& session, const SetOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  Progress progress("marking as read");
  auto call = session.call(progress);
  call.unknown_before = !options.request_id.empty();
  const auto outcome = session.client().mark_read(set_request<v1::MarkReadRequest>(options), call);
  progress.end();
  return session.finish(outcome, [](const auto& answer) {
    print_line(fmt::format("read: {}", id_list(answer.message_ids())));
  });
}

ExitCode delete_messages(Session& session, const SetOptions& options) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  Progress progress("deleting");
  auto call = session.call(progress);
  call.unknown_before = !options.request_id.empty();
  const auto outcome =
      session.client().delete_messages(set_request<v1::DeleteMessagesRequest>(options), call);
  progress.end();
  return session.finish(outcome, [](const auto& answer) {
    print_line(fmt::format("deleted: {}", id_list(answer.message_ids())));
  });
}

ExitCode unread(Session& session, bool stale) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  v1::GetUnreadCountsRequest request;
  request.set_stale(stale);
  request.set_page_size(500);
  v1::GetUnreadCountsResponse all;
  Progress progress("counting");
  do {
    const auto page = session.client().get_unread_counts(request, session.call(progress));
    if (!page) {
      progress.end();
      return session.fail(page.error());
    }
    all.MergeFrom(*page);  // appends the counts; the rest is the newest page's
    request.set_page_token(page->next_page_token());
    all.clear_next_page_token();
  } while (!request.page_token().empty());
  progress.end();
  if (session.json()) {
    print_line(to_json(all));
    return ExitCode::done;
  }
  for (const v1::UnreadCount& count : all.counts()) {
    print_line(fmt::format("{:>6}  {}", count.unread_count(), terminal_line(count.peer())));
  }
  print_line(fmt::format("{:>6}  in all", all.total()));
  if (stale) {
    print_age(all.as_of(), session.json());
  }
  return ExitCode::done;
}

void add_list_options(CLI::App& command, ListOptions& options) {
  command.add_option("--limit", options.limit, "The newest so many (default: all)")
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("N");
  command.add_flag("--unread", options.unread, "Only what was received and not read");
  command.add_flag("--newest-first", options.newest_first, "Newest first instead of oldest first");
  command.add_flag("--stale", options.stale,
                   "From what the node has, without asking the others; says how old it is");
}

}  // namespace

void add_message_commands(CLI::App& app, Chosen& chosen) {
  const auto sending = std::make_shared<SendOptions>();
  CLI::App& send_command = add_command(app, "send", "Send a message; - reads it from standard input",
                                       "parley send bob see you at six\n"
                                       "  parley send bob - < letter.txt\n"
                                       "  parley send bob -- --json is an option, and here it is text");
  send_command.add_option("NAME", sending->recipient, "To whom")->required()->type_name("");
  send_command
      .add_option(
          "TEXT", sending->words,
          "The message, 1 to 16384 bytes; - reads it from standard input; after -- nothing is an option")
      ->required()
      ->type_name("");
  send_command
      .add_option("--recipient-id", sending->recipient_id,
                  "Only if the name still belongs to the account with this id")
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("ID");
  add_request_id(send_command, sending->request_id);
  send_command.callback(
      [&chosen, sending] { chosen.run = [sending](Session& session) { return send(session, *sending); }; });

  const auto listing = std::make_shared<ListOptions>();
  const auto run_list = [&chosen, listing] {
    chosen.run = [listing](Session& session) { return list_messages(session, *listing); };
  };
  CLI::App& inbox = add_command(app, "inbox", "Everything received, oldest first", "parley inbox --unread");
  add_list_options(inbox, *listing);
  inbox.callback(run_list);
  CLI::App& history = add_command(app, "history", "One conversation, both directions, oldest first",
                                  "parley history bob --limit 20");
  history.add_option("NAME", listing->peer, "With whom")->required()->type_name("");
  add_list_options(history, *listing);
  history.callback(run_list);

  const auto set = std::make_shared<SetOptions>();
  CLI::App& read = add_command(app, "read", "Mark messages as read", "parley read 1204 1207");
  read.add_option("ID", set->ids, "Messages, by the ids that inbox shows, at most 1000")
      ->required()
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("");
  add_request_id(read, set->request_id);
  read.callback(
      [&chosen, set] { chosen.run = [set](Session& session) { return mark_read(session, *set); }; });
  CLI::App& remove =
      add_command(app, "delete", "Delete messages from your own view", "parley delete 1204 1207");
  remove.add_option("ID", set->ids, "Messages, by the ids that inbox and history show, at most 1000")
      ->required()
      ->check(CLI::Validator(count_trouble, ""))
      ->type_name("");
  add_request_id(remove, set->request_id);
  remove.callback(
      [&chosen, set] { chosen.run = [set](Session& session) { return delete_messages(session, *set); }; });

  const auto stale = std::make_shared<bool>(false);
  CLI::App& count = add_command(app, "unread", "How many unread messages, by conversation", "parley unread");
  count.add_flag("--stale", *stale, "From what the node has, without asking the others; says how old it is");
  count.callback(
      [&chosen, stale] { chosen.run = [stale](Session& session) { return unread(session, *stale); }; });
}

}  // namespace parley::cli
