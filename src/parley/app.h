// The commands of `parley`, put together: parses the command line, runs the one that was asked for.
// Owned by: nobody. The main thread.
#pragma once

#include <functional>
#include <string>

#include "parley/session.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace parley::cli {

// What the command line asked for.
struct Chosen {
  Settings settings;
  std::function<ExitCode(Session&)> run;
};

// Each adds a group of commands, which fill in `chosen` when they are parsed.
void add_account_commands(CLI::App& app, Chosen& chosen);
void add_message_commands(CLI::App& app, Chosen& chosen);
void add_watch_command(CLI::App& app, Chosen& chosen);
void add_chat_command(CLI::App& app, Chosen& chosen);
void add_cluster_commands(CLI::App& app, Chosen& chosen);
void add_open_command(CLI::App& app, Chosen& chosen);
void add_demo_command(CLI::App& app, Chosen& chosen);

// A command with its example at the end of its help.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& example);
// --request-id of a write: asks again for what ended as "outcome unknown".
void add_request_id(CLI::App& command, std::string& request_id);

// For CLI11's check(): what is wrong with HOST:PORT, or nothing.
[[nodiscard]] std::string address_trouble(std::string& text);
// The same, of a whole number from 1 on, or from 0 on, to the greatest position there is. CLI11 itself takes
// -1 and 010 for numbers, and not for those that they look like.
[[nodiscard]] std::string count_trouble(std::string& text);
[[nodiscard]] std::string position_trouble(std::string& text);
// Of a number with or without a fraction.
[[nodiscard]] std::string number_trouble(const std::string& text, double least, double most);

// The program.
[[nodiscard]] ExitCode run(int argc, char** argv);

}  // namespace parley::cli
