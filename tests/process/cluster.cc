#include "tests/process/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

constexpr std::chrono::minutes kPatience{2};

std::size_t index(int node) { return static_cast<std::size_t>(node - 1); }

NodeAddresses on_loopback() {
  return {.client = {"127.0.0.1", free_port()},
          .peer = {"127.0.0.1", free_port()},
          .http = {"127.0.0.1", free_port()}};
}

std::string last_lines(const std::string& text, std::size_t count) {
  std::size_t at = text.size();
  for (std::size_t line = 0; line <= count && at != std::string::npos && at > 0; ++line) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

// Each file with its size, of a folder that a running node may change meanwhile.
std::string listing(const std::filesystem::path& folder) {
  std::set<std::string> lines;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    if (const auto size_bytes = entry->file_size(gone); !gone) {
      lines.insert(fmt::format("{:>12} {}\n", size_bytes, entry->path().lexically_relative(folder).string()));
    }
  }
  return fmt::format("{}", fmt::join(lines, ""));
}

}  // namespace

Cluster::Cluster(ClusterOptions options) : options_(std::move(options)) {
  while (std::cmp_less(options_.addresses.size(), options_.nodes)) {
    options_.addresses.push_back(on_loopback());
  }
  processes_.resize(static_cast<std::size_t>(options_.nodes));
  if (options_.start_now) {
    start_all();
  }
}

Cluster::~Cluster() {
  if (::testing::Test::HasFailure()) {
    print_evidence();
  }
  for (auto& process : processes_) {
    process.reset();
  }
}

std::vector<int> Cluster::ids() const {
  std::vector<int> ids;
  for (int node = 1; node <= options_.nodes; ++node) {
    ids.push_back(node);
  }
  return ids;
}

std::vector<int> Cluster::all_but(int node) const {
  std::vector<int> others = ids();
  std::erase(others, node);
  return others;
}

const NodeAddresses& Cluster::advertised(int node) const {
  return options_.advertised.empty() ? options_.addresses[index(node)] : options_.advertised[index(node)];
}

std::string Cluster::members_list(const std::vector<int>& nodes) const {
  std::string list;
  for (const int node : nodes) {
    list += fmt::format("{}{}={}", list.empty() ? "" : ",", node, to_string(advertised(node).peer));
  }
  return list;
}

std::vector<std::string> Cluster::command(int node, const std::vector<int>& members) const {
  std::vector<std::string> words;
  if (options_.wrapper) {
    words = options_.wrapper(node);
  }
  const NodeAddresses& own = options_.addresses[index(node)];
  for (const std::string& word :
       {program("parleyd").string(), std::string("--id"), std::to_string(node), std::string("--data"),
        data_folder(node).string(), std::string("--client"), to_string(own.client), std::string("--peer"),
        to_string(own.peer), std::string("--http"), to_string(own.http), std::string("--cluster"),
        members_list(members)}) {
    words.push_back(word);
  }
  if (options_.extra_flags) {
    std::ranges::copy(options_.extra_flags(node), std::back_inserter(words));
  }
  return words;
}

void Cluster::start(int node) {
  base::ensure(!is_running(node), "a node is started once");
  processes_[index(node)] = std::make_unique<Process>(command(node, ids()), log_file(node));
}

void Cluster::start_with_other_list(int node) {
  std::vector<int> members = ids();
  members.erase(members.begin() + (node == 1 ? 1 : 0));
  processes_[index(node)] = std::make_unique<Process>(command(node, members), log_file(node));
}

void Cluster::start_all() {
  for (const int node : ids()) {
    if (!is_running(node)) {
      start(node);
    }
  }
}

void Cluster::stop(int node, int signal) {
  processes_[index(node)]->send_signal(signal);
  wait_for_end(node, signal);
}

void Cluster::stop(const std::vector<int>& nodes, int signal) {
  for (const int node : nodes) {
    processes_[index(node)]->send_signal(signal);
  }
  for (const int node : nodes) {
    wait_for_end(node, signal);
  }
}

void Cluster::wait_for_end(int node, int signal) {
  Process& process = *processes_[index(node)];
  const auto limit = signal == SIGTERM ? std::chrono::seconds(30) : std::chrono::seconds(60);
  EXPECT_TRUE(process.wait_for_end(limit)) << "node " << node << " still runs after signal " << signal;
  if (signal == SIGTERM) {
    EXPECT_TRUE(WIFEXITED(process.status()) && WEXITSTATUS(process.status()) == 0)
        << "node " << node << " ended with status " << process.status() << " after SIGTERM";
  }
  processes_[index(node)].reset();
}

void Cluster::stop_all(int signal) {
  for (const int node : ids()) {
    if (is_running(node)) {
      processes_[index(node)]->send_signal(signal);
    }
  }
  for (const int node : ids()) {
    if (processes_[index(node)]) {
      wait_for_end(node, signal);
    }
  }
}

void Cluster::freeze(int node) { processes_[index(node)]->freeze(); }
void Cluster::thaw(int node) { processes_[index(node)]->send_signal(SIGCONT); }

void Cluster::wipe(int node) {
  base::ensure(!is_running(node), "a running node is not wiped");
  std::filesystem::remove_all(data_folder(node));
}

bool Cluster::is_running(int node) {
  const auto& process = processes_[index(node)];
  return process && process->is_running();
}

base::Address Cluster::client_address(int node) const { return advertised(node).client; }
base::Address Cluster::http_address(int node) const { return advertised(node).http; }

std::vector<base::Address> Cluster::listening(int node) const {
  const auto& own = options_.addresses[index(node)];
  return {own.client, own.peer, own.http};
}

std::string Cluster::servers(const std::vector<int>& nodes) const {
  std::string list;
  for (const int node : nodes) {
    list += (list.empty() ? "" : ",") + to_string(client_address(node));
  }
  return list;
}
std::string Cluster::servers() const { return servers(ids()); }

std::filesystem::path Cluster::data_folder(int node) const { return folder() / fmt::format("node-{}", node); }
std::filesystem::path Cluster::log_file(int node) const {
  return folder() / fmt::format("node-{}.log", node);
}

std::string Cluster::log(int node) const {
  std::ostringstream text;
  text << std::ifstream(log_file(node)).rdbuf();
  return text.str();
}

void Cluster::change_all_addresses() {
  for (const int node : ids()) {
    base::ensure(!is_running(node), "addresses change while nothing runs");
    options_.addresses[index(node)] = on_loopback();
  }
}

client::ClientOptions Cluster::client_options(const std::vector<int>& nodes) const {
  client::ClientOptions options;
  for (const int node : nodes.empty() ? ids() : nodes) {
    options.servers.push_back(client_address(node));
  }
  options.timeout = std::chrono::seconds(60);
  return options;
}

std::unique_ptr<client::Client> Cluster::client(const std::vector<int>& nodes) const {
  return std::make_unique<client::Client>(client_options(nodes));
}

bool Cluster::log_in_observer() {
  if (!observer_token_.empty()) {
    return true;
  }
  const auto everywhere = client();
  v1::CreateAccountRequest request;
  request.set_name("observer");
  request.set_password("only looks on");
  const auto outcome = everywhere->create_account(request, {.timeout = kPatience});
  const auto* const done = std::get_if<client::Done<v1::CreateAccountResponse>>(&outcome);
  if (done != nullptr) {
    observer_token_ = done->answer.token();
  }
  return done != nullptr;
}

std::optional<v1::GetStatusResponse> Cluster::status(int node) {
  if (!log_in_observer()) {
    return std::nullopt;
  }
  const auto one = client({node});
  one->set_token(observer_token_);
  auto answer = one->get_status({}, {.timeout = std::chrono::seconds(2)});
  return answer ? std::optional(*std::move(answer)) : std::nullopt;
}

int Cluster::wait_for_leader() { return wait_for_leader_among(ids()); }

int Cluster::wait_for_leader_among(const std::vector<int>& nodes) {
  int leader = 0;
  const bool found = wait_until(
      [&] {
        std::set<std::uint32_t> leaders;
        for (const int node : nodes) {
          if (!is_running(node)) {
            continue;
          }
          const auto answer = status(node);
          if (!answer || !answer->writable() || answer->leader_id() == 0) {
            return false;
          }
          leaders.insert(answer->leader_id());
        }
        leader = leaders.size() == 1 ? static_cast<int>(*leaders.begin()) : 0;
        return leader != 0 && std::ranges::find(nodes, leader) != nodes.end() && is_running(leader);
      },
      kPatience);
  EXPECT_TRUE(found) << "no leader that all running nodes follow";
  if (!found) {
    print_evidence();  // the destructor is not reached
  }
  base::ensure(found, "a cluster with a majority has a leader");
  return leader;
}

int Cluster::wait_for_new_cluster() {
  observer_token_.clear();
  return wait_for_leader();
}

void Cluster::wait_until_applied(const std::vector<int>& nodes, std::uint64_t position) {
  for (const int node : nodes) {
    const bool applied = wait_until(
        [&] {
          const auto answer = status(node);
          return answer && answer->applied_index() >= position;
        },
        kPatience);
    EXPECT_TRUE(applied) << "node " << node << " has not applied " << position;
  }
}

int Cluster::any_follower(int leader) {
  for (const int node : ids()) {
    if (node != leader && is_running(node)) {
      return node;
    }
  }
  base::stop_process("there is a follower");
}

// What to look at after a failure: how each node is, the end of its log, and what its folder holds; and what
// a sanitizer said, in whichever of its lives that was.
void Cluster::print_evidence() {
  constexpr std::size_t kLines = 30;
  for (const int node : ids()) {
    const std::string text = log(node);
    fmt::print(stderr, "---- node {} {}; the end of its log:\n{}---- its data folder:\n{}", node,
               is_running(node) ? "runs" : "does not run", last_lines(text, kLines),
               listing(data_folder(node)));
    if (const std::size_t report = text.find("==ERROR: "); report != std::string::npos) {
      constexpr std::size_t kReportBytes = 12'000;
      fmt::print(stderr, "---- a sanitizer's first report in its log:\n{}\n",
                 text.substr(report, kReportBytes));
    }
  }
}

}  // namespace parley::testing
