// `./dev run` as a person uses it: a cluster, a message, a node that is killed and started again by the
// command that is then shown, Ctrl-C, and the same data on the same ports and on others. Only in the release
// build, which is what `./dev run` runs.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/ensure.h"
#include "tests/parley/cli_runner.h"
#include "tests/process/process.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::chrono::minutes kPatience{2};

// Whether this process is a node of ours: the number may be another's by now, and one that has ended has no
// command.
bool is_node(const std::string& pid) {
  std::ostringstream command;
  command << std::ifstream("/proc/" + pid + "/cmdline").rdbuf();
  return command.str().contains("parleyd");
}

// One `./dev run`. What it says is kept.
class DevRun {
 public:
  DevRun(const TempFolder& folder, const std::string& name, const std::vector<std::string>& flags)
      : log_(folder.path() / name) {
    const char* const source = std::getenv("PARLEY_SOURCE_DIR");  // NOLINT(concurrency-mt-unsafe): one thread
    base::ensure(source != nullptr, "ctest names the source folder");
    std::vector<std::string> command = {std::string(source) + "/dev", "run", "--data",
                                        (folder.path() / "data").string()};
    command.insert(command.end(), flags.begin(), flags.end());
    process_ = std::make_unique<Process>(command, log_);
  }
  // Killed it would leave its nodes behind.
  ~DevRun() {
    if (process_->is_running()) {
      process_->send_signal(SIGTERM);
      EXPECT_TRUE(process_->wait_for_end(kPatience));
    }
    if (::testing::Test::HasFailure()) {
      fmt::print("---- ./dev run said\n{}\n", said());
    }
  }
  DevRun(const DevRun&) = delete;
  DevRun& operator=(const DevRun&) = delete;

  [[nodiscard]] std::string said() const {
    std::ostringstream text;
    text << std::ifstream(log_).rdbuf();
    return text.str();
  }
  [[nodiscard]] bool wait_until_said(const std::string& what) {
    return wait_until([&] { return said().contains(what) || !process_->is_running(); }, kPatience) &&
           said().contains(what);
  }
  // The first group of what it said.
  [[nodiscard]] std::string found(const std::string& pattern) const {
    const std::string text = said();
    std::smatch match;
    EXPECT_TRUE(std::regex_search(text, match, std::regex(pattern))) << pattern;
    return match.empty() ? "" : match[1].str();
  }
  // All that matches the first group.
  [[nodiscard]] std::vector<std::string> all_found(const std::string& pattern) const {
    const std::string text = said();
    const std::regex expression(pattern);
    std::vector<std::string> all;
    for (std::sregex_iterator match(text.begin(), text.end(), expression); match != std::sregex_iterator();
         ++match) {
      all.push_back((*match)[1].str());
    }
    return all;
  }
  [[nodiscard]] std::vector<std::string> nodes() const {
    return all_found("(node \\d+ +client .*) process \\d+");
  }
  // As Ctrl-C does. No node that it has started is left.
  void interrupt() {
    const auto pids = all_found("node \\d+ +client .* process (\\d+)");
    ASSERT_THAT(pids, Not(IsEmpty()));
    process_->send_signal(SIGINT);
    ASSERT_TRUE(process_->wait_for_end(kPatience));
    EXPECT_TRUE(WIFEXITED(process_->status()));
    for (const std::string& pid : pids) {
      EXPECT_FALSE(is_node(pid)) << "process " << pid << " still runs";
    }
  }

 private:
  std::filesystem::path log_;
  std::unique_ptr<Process> process_;
};

int number_in(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// A loopback port that somebody else has.
class TakenPort {
 public:
  explicit TakenPort(int port) : file_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(file_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the interface of sockets
    const bool is_bound = ::bind(file_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    base::ensure(is_bound && ::listen(file_, 64) == 0, "a port that was left is free");
  }
  ~TakenPort() { ::close(file_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

 private:
  int file_;
};

TEST(DevRunSuite, ANodeIsKilledAndStartedAgainAndAllRunAgainOnOtherPorts) {
  const TempFolder folder;
  CliRunner alice("");
  CliRunner bob("");
  std::string first_client_port;
  {
    DevRun run(folder, "first", {"--nodes", "3"});
    ASSERT_TRUE(run.wait_until_said("Ctrl-C stops all nodes")) << run.said();
    const std::string servers = run.found("--profile alice --servers ([^']+)");
    first_client_port = run.found("node 1 +client 127.0.0.1:(\\d+)");
    alice.set_servers(servers);
    bob.set_servers(servers);
    ASSERT_EQ(alice.run({"register", "alice", "--password-stdin"}, "correct horse\n").exit_code, 0);
    ASSERT_EQ(bob.run({"register", "bob", "--password-stdin"}, "correct horse\n").exit_code, 0);
    ASSERT_EQ(alice.run({"send", "bob", "Are you there?"}).exit_code, 0);

    const int pid = number_in(run.found("node 2 .* process (\\d+)"));
    ASSERT_GT(pid, 1);
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(run.wait_until_said("To start it again"));
    ASSERT_EQ(alice.run({"send", "bob", "One node is dead."}).exit_code, 0);
    Process again({"bash", "-c", "exec " + run.found("To start it again[^\n]*\n *([^\n]+)")},
                  folder.path() / "again");
    bob.set_servers(run.found("node 2 +client (\\S+)"));
    EXPECT_TRUE(wait_until([&] { return bob.run({"inbox"}).out.contains("One node is dead."); }, kPatience));
    EXPECT_TRUE(is_node(run.found("node 3 .* process (\\d+)")));
    run.interrupt();
    again.send_signal(SIGTERM);
    ASSERT_TRUE(again.wait_for_end(kPatience));
    // What other users of the machine could read: nothing. Running nodes rename and remove files.
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() / "data")) {
      EXPECT_EQ(entry.status().permissions() & std::filesystem::perms(077), std::filesystem::perms::none)
          << entry.path();
    }
  }
  const TakenPort taken(number_in(first_client_port));
  DevRun run(folder, "second", {});
  ASSERT_TRUE(run.wait_until_said("Ctrl-C stops all nodes")) << run.said();
  EXPECT_NE(run.found("node 1 +client 127.0.0.1:(\\d+)"), first_client_port);
  bob.set_servers(run.found("--profile alice --servers ([^']+)"));
  EXPECT_THAT(bob.run({"inbox"}).out, AllOf(HasSubstr("Are you there?"), HasSubstr("One node is dead.")));
  run.interrupt();
}

TEST(DevRunSuite, FiveNodesByDefaultAndAgainOnTheSamePorts) {
  const TempFolder folder;
  CliRunner alice("");
  CliRunner bob("");
  std::vector<std::string> addresses;
  for (const std::string& round : {std::string("first"), std::string("second")}) {
    SCOPED_TRACE(round);
    DevRun run(folder, round, {});
    ASSERT_TRUE(run.wait_until_said("Ctrl-C stops all nodes")) << run.said();
    ASSERT_THAT(run.nodes(), SizeIs(5));
    const std::string servers = run.found("--profile alice --servers ([^']+)");
    EXPECT_EQ(std::ranges::count(servers, ','), 4) << servers;
    alice.set_servers(servers);
    bob.set_servers(servers);
    if (addresses.empty()) {
      addresses = run.nodes();
      ASSERT_EQ(alice.run({"register", "alice", "--password-stdin"}, "correct horse\n").exit_code, 0);
      ASSERT_EQ(bob.run({"register", "bob", "--password-stdin"}, "correct horse\n").exit_code, 0);
    }
    EXPECT_EQ(run.nodes(), addresses) << "the same ports";
    ASSERT_EQ(alice.run({"send", "bob", "In the " + round + " run."}).exit_code, 0);
    if (round == "second") {
      EXPECT_THAT(bob.run({"inbox"}).out,
                  AllOf(HasSubstr("In the first run."), HasSubstr("In the second run.")));
    }
    for (const std::string& pid : run.all_found("node \\d+ +client .* process (\\d+)")) {
      EXPECT_TRUE(is_node(pid)) << pid;
    }
    run.interrupt();
  }
}

}  // namespace
}  // namespace parley::testing
