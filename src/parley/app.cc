#include "parley/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/standard_files.h"
#include "base/uuid7.h"
#include "parley/library_logs.h"
#include "parley/output.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

// CLI11's validators say "" for "good", and may change the text: these do not.
std::string profile_trouble(std::string& name) {
  return is_profile_name(name) ? std::string() : "a profile's name is 1 to 32 of a-z A-Z 0-9 . _ -";
}

std::string request_id_trouble(std::string& text) {
  const auto id = base::parse_request_id(text);
  return id ? std::string() : id.error();
}

void add_settings(CLI::App& app, Settings& settings) {
  app.add_option("--servers", settings.servers,
                 "Nodes to talk to, any of them will do; kept at login (default 127.0.0.1:7700)")
      ->delimiter(',')
      ->check(CLI::Validator(address_trouble, ""))
      ->type_name("HOST:PORT,...")
      ->allow_extra_args(false);
  app.add_option("--profile", settings.profile, "Which session: for several accounts side by side")
      ->check(CLI::Validator(profile_trouble, ""))
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--timeout", settings.timeout_s, "Seconds until a command gives up, and says so")
      ->check(CLI::Validator([](const std::string& text) { return number_trouble(text, 0.001, 86'400); }, ""))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_flag("--json", settings.json,
               "Print the API's messages as JSON, errors too; one object a line for lists and streams");
  app.add_flag("--password-stdin", settings.password_stdin, "Read passwords from standard input, one a line");
}

std::string whole_number_trouble(std::string_view text, std::int64_t least) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::int64_t number = 0;
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_one = errc == std::errc() && end == text.data() + text.size() && number >= least;
  return is_one && text == std::to_string(number)
             ? std::string()
             : fmt::format("\"{}\" is no whole number from {} to {}", text, least, kMost);
}

// Looked for by hand: what cannot be parsed has to be told as JSON too.
bool wants_json(std::span<char* const> words) {
  for (const std::string_view word : words) {
    if (word == "--") {
      return false;
    }
    if (word == "--json" || word == "--json=true") {
      return true;
    }
  }
  return false;
}

// What CLI11 says of an option's values, in words that need no knowledge of it.
std::string mismatch(const std::string& what) {
  const std::string option = what.substr(0, what.find(':'));
  if (what.ends_with(" missing")) {
    return option + " needs a value";
  }
  return what.contains("At Most") ? option + " is given more than once" : what;
}

// CLI11 says that a subcommand is required, also where one was meant that does not exist.
std::string usage_trouble(const CLI::App* app, const CLI::Error& error, bool as_json) {
  std::string name = app->get_name();
  const CLI::App* where = app;
  while (!where->get_subcommands().empty()) {
    where = where->get_subcommands().front();
    name += " " + where->get_name();
  }
  std::string what = error.what();
  if (where->get_require_subcommand_min() > 0 && error.get_name() == "RequiredError") {
    const auto words = app->remaining(true);
    what = words.empty() ? "no command was given" : "there is no command \"" + words.front() + "\"";
  } else if (error.get_name() == "ArgumentMismatch") {
    what = mismatch(what);
  }
  const std::string hint =
      app->get_name() + (where == app ? " --help tells more" : " --help and " + name + " --help tell more");
  if (as_json) {
    return to_json(usage_error(what + "; " + hint)) + "\n";
  }
  return "parley: " + terminal_line(what) + "\n" + hint + "\n";
}

// Whoever interrupts a command that changed nothing expects it to die of that, and a shell's loop with it.
ExitCode end(const Session& session, ExitCode code) {
  if (code == ExitCode::unavailable && session.interrupted_by() != 0) {
    die_of(session.interrupted_by());
  }
  if (std::ferror(stdout) == 0) {
    return code;
  }
  const base::Error error = usage_error("standard output cannot be written");
  if (session.has_written()) {
    print_done_but(error, session.json());
    return code;
  }
  print_error(error, session.json());
  return code == ExitCode::done ? ExitCode::usage : code;
}

}  // namespace

std::string address_trouble(std::string& text) {
  const auto address = base::parse_address(text);
  return address ? std::string() : address.error();
}

std::string count_trouble(std::string& text) { return whole_number_trouble(text, 1); }
std::string position_trouble(std::string& text) { return whole_number_trouble(text, 0); }

std::string number_trouble(const std::string& text, double least, double most) {
  double number = 0;
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_one = errc == std::errc() && end == text.data() + text.size() && std::isfinite(number);
  return is_one && number >= least && number <= most
             ? std::string()
             : fmt::format("\"{}\" is no number from {} to {}", text, least, most);
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& example) {
  CLI::App* const command = app.add_subcommand(name, what);
  command->fallthrough();
  command->footer("Example:\n  " + example);
  return *command;
}

void add_request_id(CLI::App& command, std::string& request_id) {
  command
      .add_option("--request-id", request_id,
                  "Ask again for a write whose outcome was unknown: never done twice")
      ->check(CLI::Validator(request_id_trouble, ""))
      ->type_name("UUID");
}

ExitCode run(int argc, char** argv) {
  base::occupy_standard_files();
  silence_libraries();
  const bool as_json = wants_json({argv, static_cast<std::size_t>(argc)});
  CLI::App app("Chat that survives: talks to any living node of a Parley cluster.", "parley");
  app.set_version_flag("--version", "parley " PARLEY_VERSION);
  app.require_subcommand(1);
  app.failure_message([as_json](const CLI::App* failed, const CLI::Error& error) {
    return usage_trouble(failed, error, as_json);
  });
  app.footer(
      "Results go to standard output, trouble to standard error.\n"
      "Exit codes: 0 done, 1 refused, 2 usage, 3 unavailable, 4 outcome unknown.\n"
      "`parley COMMAND --help` tells more about one command.");
  Chosen chosen;
  add_settings(app, chosen.settings);
  add_account_commands(app, chosen);
  add_message_commands(app, chosen);
  add_watch_command(app, chosen);
  add_chat_command(app, chosen);
  add_cluster_commands(app, chosen);
  add_open_command(app, chosen);
  add_demo_command(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::done : ExitCode::usage;
  }
  auto session = Session::open(chosen.settings);
  if (!session) {
    print_error(session.error(), chosen.settings.json);
    return ExitCode::refused;
  }
  return end(*session, chosen.run(*session));
}

}  // namespace parley::cli
