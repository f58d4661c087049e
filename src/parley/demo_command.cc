// demo.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <system_error>

#include "parley/app.h"
#include "parley/demo/demo.h"
#include "parley/demo/script.h"

namespace parley::cli {
namespace {

// parleyd lies beside this program.
std::filesystem::path parleyd() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "parleyd";
}

ExitCode run_demo(const Session& session, demo::DemoOptions options) {
  options.program = parleyd();
  options.json = session.json();
  if (!std::filesystem::exists(options.program)) {
    return session.fail_usage("there is no " + options.program.string() + " to start nodes with");
  }
  return demo::run_demo(options);
}

}  // namespace

void add_demo_command(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<demo::DemoOptions>();
  options->script = demo::kWholeScript;
  CLI::App& command = add_command(
      app, "demo", "Five nodes on this machine, two who talk, and keys to break things: nothing gets lost",
      "parley demo\n  parley demo --auto");
  command.add_option("--data", options->data, "Keep the nodes' data here (default: a temporary folder)")
      ->type_name("DIR");
  command.add_flag("--auto", options->is_auto, "Press the keys by itself, through everything, and quit");
  command.add_option("--script", options->script, "The keys that --auto presses: l k f c b s")
      ->type_name("KEYS")
      ->capture_default_str();
  command.add_option("--pause", options->pause_s, "Seconds of calm between two of them")
      ->type_name("SECONDS")
      ->check(CLI::Validator([](const std::string& text) { return number_trouble(text, 0.1, 3'600); }, ""))
      ->capture_default_str();
  command.add_option("--rate", options->rate_per_s, "Messages a second, of both together")
      ->type_name("N")
      ->check(CLI::Validator([](const std::string& text) { return number_trouble(text, 1, 2'000); }, ""))
      ->capture_default_str();
  command.add_flag("--namespaces", options->namespaces,
                   "Each node in a network namespace with its own address, as on several machines (root)");
  command.callback([&chosen, options] {
    chosen.run = [options](Session& session) { return run_demo(session, *options); };
  });
}

}  // namespace parley::cli
