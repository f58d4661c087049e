// Cluster: real parleyd processes on this machine, killed, frozen, started again and wiped from outside.
// Owned by: a test. One thread: nodes die with the thread that started them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "client/client.h"
#include "tests/parley/cli_runner.h"
#include "tests/process/process.h"

namespace parley::testing {

struct NodeAddresses {
  base::Address client;
  base::Address peer;
  base::Address http;
};

struct ClusterOptions {
  int nodes = 5;
  bool start_now = true;
  // Empty: loopback and free ports.
  std::vector<NodeAddresses> addresses;
  // Tests of several machines: a command in front of parleyd's, and flags after it. By node id.
  std::function<std::vector<std::string>(int node)> wrapper;
  std::function<std::vector<std::string>(int node)> extra_flags;
  // As the others and the clients see them. Empty: as `addresses`.
  std::vector<NodeAddresses> advertised;
};

// Nodes are numbered from 1.
class Cluster {
 public:
  explicit Cluster(ClusterOptions options);
  explicit Cluster(int nodes) : Cluster(ClusterOptions{.nodes = nodes}) {}
  ~Cluster();  // ends every node; after a failure it prints the ends of their logs, and their files

  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] int size() const { return options_.nodes; }
  [[nodiscard]] std::vector<int> ids() const;
  [[nodiscard]] std::vector<int> all_but(int node) const;

  void start(int node);
  void start_all();
  // With a --cluster list that lacks one of the others.
  void start_with_other_list(int node);
  // SIGKILL or SIGTERM, and waits for the end. SIGTERM has to end it within 30 s, with exit code 0.
  void stop(int node, int signal);
  void stop(const std::vector<int>& nodes, int signal);  // all of them at once
  void stop_all(int signal);
  void freeze(int node);  // SIGSTOP
  void thaw(int node);    // SIGCONT
  void wipe(int node);    // empties its folder; it must not run
  [[nodiscard]] bool is_running(int node);

  [[nodiscard]] base::Address client_address(int node) const;
  [[nodiscard]] base::Address http_address(int node) const;
  // Where it listens.
  [[nodiscard]] std::vector<base::Address> listening(int node) const;
  [[nodiscard]] std::string servers() const;  // of all, for --servers
  [[nodiscard]] std::string servers(const std::vector<int>& nodes) const;
  // Of these, for --cluster: as nodes name it.
  [[nodiscard]] std::string members_list(const std::vector<int>& nodes) const;
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path data_folder(int node) const;
  [[nodiscard]] std::filesystem::path log_file(int node) const;
  [[nodiscard]] std::string log(int node) const;
  // New ports for every node; they must not run.
  void change_all_addresses();

  // Of these nodes (none named: of all), without a session.
  [[nodiscard]] client::ClientOptions client_options(const std::vector<int>& nodes = {}) const;
  [[nodiscard]] std::unique_ptr<client::Client> client(const std::vector<int>& nodes = {}) const;

  // What a node says of itself; nothing: it does not answer.
  [[nodiscard]] std::optional<v1::GetStatusResponse> status(int node);
  // Waits until every running node follows one leader and can write; fails the test after two minutes.
  int wait_for_leader();
  // Of these nodes alone: the others may be cut off.
  int wait_for_leader_among(const std::vector<int>& nodes);
  // As above, after all nodes were wiped: what this fixture knew of the old cluster is forgotten.
  int wait_for_new_cluster();
  // Waits until these nodes have applied at least `position`.
  void wait_until_applied(const std::vector<int>& nodes, std::uint64_t position);
  [[nodiscard]] int any_follower(int leader);

 private:
  void wait_for_end(int node, int signal);
  [[nodiscard]] std::vector<std::string> command(int node, const std::vector<int>& members) const;
  [[nodiscard]] const NodeAddresses& advertised(int node) const;
  [[nodiscard]] bool log_in_observer();
  void print_evidence();

  ClusterOptions options_;
  TempFolder folder_;
  std::vector<std::unique_ptr<Process>> processes_;  // by id - 1
  std::string observer_token_;                       // of an account that only asks for the status
};

}  // namespace parley::testing
