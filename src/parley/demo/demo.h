// The demo: five local nodes, two people who talk, and a person (or a script) who breaks things, live.
// Owned by: nobody. The main thread.
//
// One direction of data: keys, signals and the script make Acts; acts change Nodes; the people's threads fill
// the Record and the AckTimes of Talk, the pollers the Statuses; ten times a second all of it becomes one
// Picture, which is laid out and drawn.
#pragma once

#include <filesystem>
#include <string>

#include "parley/exit_code.h"

namespace parley::demo {

struct DemoOptions {
  std::filesystem::path program;  // parleyd
  std::filesystem::path data;     // empty: a temporary folder
  bool is_auto = false;
  std::string script;  // of --auto
  double pause_s = 4;  // between its acts
  double rate_per_s = 100;
  bool namespaces = false;
  bool json = false;  // the count, as one object
};

// done: nothing is lost or doubled; refused: something is; unavailable: it could not be counted; usage: it
// cannot run here.
[[nodiscard]] cli::ExitCode run_demo(const DemoOptions& options);

}  // namespace parley::demo
