// cluster status.
#include <CLI/CLI.hpp>

#include <chrono>

#include "parley/app.h"
#include "parley/cluster_status.h"

namespace parley::cli {
namespace {

constexpr std::chrono::milliseconds kLongestAnswer{1'500};

ExitCode status(Session& session) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  v1::GetStatusResponse first;
  NodeViews views;
  {
    Progress progress("asking");
    const auto answer = session.client().get_status({}, session.call(progress));
    if (!answer) {
      return session.fail(answer.error());
    }
    first = *answer;
    if (!session.json()) {
      progress.set("asking the other nodes");
      views = ask_all_nodes(first, session.client_options(), kLongestAnswer,
                            progress.interruption().stop_token());
    }
    if (session.interrupted_by() != 0) {
      return ExitCode::unavailable;
    }
  }
  if (session.json()) {
    print_line(to_json(first));
  } else {
    for (const std::string& line : status_table(first, views)) {
      print_line(line);
    }
  }
  return ExitCode::done;
}

}  // namespace

void add_cluster_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& cluster = add_command(app, "cluster", "The nodes", "parley cluster status");
  cluster.require_subcommand(1);
  CLI::App& status_command =
      add_command(cluster, "status", "What each node says: who leads, how far it is, whether it takes writes",
                  "parley cluster status --json");
  status_command.callback([&chosen] { chosen.run = status; });
}

}  // namespace parley::cli
