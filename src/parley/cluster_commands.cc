// cluster status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "parley/app.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

std::string role_name(v1::Role role) {
  switch (role) {
    case v1::ROLE_LEADER:
      return "leader";
    case v1::ROLE_CANDIDATE:
      return "candidate";
    case v1::ROLE_FOLLOWER:
      return "follower";
    default:
      return "?";
  }
}

void print_status(const v1::GetStatusResponse& status) {
  print_line(fmt::format("cluster {}, answered by node {} ({}), parley {}",
                         terminal_line(status.cluster_id()), status.node_id(), role_name(status.role()),
                         terminal_line(status.version())));
  print_line(fmt::format("term {}, leader {}, committed {}, applied {}, {}", status.term(),
                         status.leader_id() == 0 ? "none" : std::to_string(status.leader_id()),
                         status.commit_index(), status.applied_index(),
                         status.writable() ? "writable" : "NOT writable"));
  print_line(fmt::format("{:>4}  {:<9}  {:<8}  {:<7}  {:>10}  {:<22}  {}", "node", "role", "", "health",
                         "stored", "clients", "peers"));
  for (const v1::Node& node : status.nodes()) {
    print_line(fmt::format(
        "{:>4}  {:<9}  {:<8}  {:<7}  {:>10}  {:<22}  {}", node.id(), role_name(node.role()),
        node.suffrage() == v1::SUFFRAGE_LEARNER ? "learner" : "voter", node.healthy() ? "healthy" : "away",
        node.match_index(), terminal_line(node.client_addr()), terminal_line(node.peer_addr())));
  }
}

ExitCode status(Session& session) {
  if (!session.is_logged_in()) {
    return ExitCode::refused;
  }
  Progress progress("asking");
  const auto answer = session.client().get_status({}, session.call(progress));
  if (!answer) {
    return session.fail(answer.error());
  }
  if (session.json()) {
    print_line(to_json(*answer));
  } else {
    print_status(*answer);
  }
  return ExitCode::done;
}

}  // namespace

void add_cluster_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& cluster = add_command(app, "cluster", "The nodes", "parley cluster status");
  cluster.require_subcommand(1);
  CLI::App& status_command = add_command(cluster, "status", "Who leads, who is well, how far each node is",
                                         "parley cluster status --json");
  status_command.callback([&chosen] { chosen.run = status; });
}

}  // namespace parley::cli
