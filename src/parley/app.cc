#include "parley/app.h"

#include <CLI/CLI.hpp>

#include "base/address.h"
#include "base/uuid7.h"
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
      ->type_name("HOST:PORT,...");
  app.add_option("--profile", settings.profile, "Which session: for several accounts side by side")
      ->check(CLI::Validator(profile_trouble, ""))
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--timeout", settings.timeout_s, "Seconds until a command gives up, and says so")
      ->check(CLI::Range(0.001, 86'400.0).description(""))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_flag("--json", settings.json,
               "Print the API's messages as JSON; one object a line for lists and streams");
  app.add_flag("--password-stdin", settings.password_stdin, "Read passwords from standard input, one a line");
}

// CLI11 says that a subcommand is required, also where one was meant that does not exist.
std::string usage_trouble(const CLI::App* app, const CLI::Error& error) {
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
  }
  const std::string hint = where == app ? " --help tells more" : " --help and " + name + " --help tell more";
  return "parley: " + terminal_line(what) + "\n" + app->get_name() + hint + "\n";
}

}  // namespace

std::string address_trouble(std::string& text) {
  const auto address = base::parse_address(text);
  return address ? std::string() : address.error();
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
  CLI::App app("Chat that survives: talks to any living node of a Parley cluster.", "parley");
  app.set_version_flag("--version", "parley " PARLEY_VERSION);
  app.require_subcommand(1);
  app.failure_message(usage_trouble);
  app.footer(
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
    print_trouble(session.error());
    return ExitCode::refused;
  }
  return chosen.run(*session);
}

}  // namespace parley::cli
