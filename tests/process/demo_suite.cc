// `parley demo`: by itself through every fault, and on a terminal with a person at the keys. Whatever ends
// it, no node is left behind.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/parley/cli_runner.h"
#include "tests/parley/tmux.h"
#include "tests/process/cluster.h"
#include "tests/process/process.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DemoSuite : public ::testing::Test {
 protected:
  [[nodiscard]] std::string folder() const { return folder_.path().string(); }

  // Command lines of all processes that were started with this test's folder, but for the demo's own.
  [[nodiscard]] std::vector<std::string> nodes_left() const {
    std::vector<std::string> left;
    std::error_code error;
    for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
      std::ifstream file(process.path() / "cmdline");
      const std::string command{std::istreambuf_iterator<char>(file), {}};
      if (command.contains(folder()) && command.contains("parleyd")) {
        left.push_back(command);
      }
    }
    return left;
  }
  [[nodiscard]] bool all_nodes_end() const {
    return wait_until([this] { return nodes_left().empty(); });
  }
  [[nodiscard]] std::string on_a_terminal() const {
    return fmt::format("XDG_CONFIG_HOME={0} LC_ALL=C.UTF-8 {1} demo --data {0}; echo left with $?", folder(),
                       program("parley").string());
  }

  // On a slow and busy machine it takes longer than a CliRunner waits.
  [[nodiscard]] std::string output_of_the_whole_script() const {
    const TempFolder home;
    const auto output = home.path() / "output";
    Process demo({"env", "XDG_CONFIG_HOME=" + home.path().string(), program("parley").string(), "demo",
                  "--auto", "--pause", "0.5", "--data", folder()},
                 output);
    const bool is_over = demo.wait_for_end(std::chrono::minutes(5));
    std::ostringstream text;
    text << std::ifstream(output).rdbuf();
    EXPECT_TRUE(is_over && WIFEXITED(demo.status()) && WEXITSTATUS(demo.status()) == 0)
        << (is_over ? "" : "it still runs\n") << text.str();
    return text.str();
  }

  // Whether `seen` comes of this key. Where nobody leads at that moment it does nothing and says so: then it
  // is pressed again, once those words are gone.
  [[nodiscard]] static bool press_until(const Tmux& terminal, const std::string& key,
                                        const std::string& seen) {
    const std::string nobody = "nobody leads right now";
    return wait_until([&] {
      if (!terminal.wait_until([&](const std::string& screen) { return !screen.contains(nobody); })) {
        return false;
      }
      terminal.press(key);
      bool is_seen = false;
      const bool is_answered = terminal.wait_until([&](const std::string& screen) {
        is_seen = screen.contains(seen);
        return is_seen || screen.contains(nobody);
      });
      return is_answered && is_seen;
    });
  }

  TempFolder folder_;
  CliRunner cli_{""};
};

TEST_F(DemoSuite, ByItselfThroughEverythingNothingIsLostOrDoubled) {
  const std::string out = output_of_the_whole_script();
  EXPECT_THAT(out, AllOf(ContainsRegex("lost +0\n"), ContainsRegex("doubled +0\n")));
  EXPECT_THAT(out, ContainsRegex("acknowledged +[0-9,]*[1-9]"));
  for (const char* const told :
       {"killed node [1-5], the leader", "started node [1-5] again", "froze node [1-5]",
        "thawed node [1-5] again", "cut off node [1-5]", "plugged in node [1-5] again",
        "stopped all five nodes", "started all five nodes again"}) {
    EXPECT_THAT(out, ContainsRegex(told));
  }
  EXPECT_THAT(nodes_left(), IsEmpty());

  // The same folder again: the accounts are there, and only the new messages are counted.
  const auto again =
      cli_.run({"--json", "demo", "--auto", "--script", "l", "--pause", "0.3", "--data", folder()});
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  EXPECT_THAT(again.out,
              AllOf(HasSubstr("\"lost\":0,\"doubled\":0"), ContainsRegex("\"acknowledged\":[1-9]")));
}

TEST_F(DemoSuite, APersonAtTheKeysSeesWhatHappens) {
  const Tmux terminal(on_a_terminal(), 90, 30);
  ASSERT_TRUE(terminal.wait_for("LEADER")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_until([](const std::string& screen) { return screen.contains("█"); }))
      << terminal.screen();
  ASSERT_TRUE(press_until(terminal, "l", ", the leader: no write acknowledged for")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_for("killed   -")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_for("LEADER")) << "another one leads";
  terminal.press("b");
  ASSERT_TRUE(terminal.wait_for("again")) << terminal.screen();
  ASSERT_TRUE(press_until(terminal, "c", "cut off  ")) << terminal.screen();
  terminal.press("b");
  ASSERT_TRUE(terminal.wait_for("plugged in node")) << terminal.screen();
  terminal.press("1");
  ASSERT_TRUE(terminal.wait_for("node 1: k kills it")) << terminal.screen();
  terminal.press("f");
  ASSERT_TRUE(terminal.wait_for("1    frozen")) << terminal.screen();
  terminal.press("q");
  ASSERT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), AllOf(ContainsRegex("lost +0\n"), ContainsRegex("doubled +0\n")));
  EXPECT_THAT(nodes_left(), IsEmpty());
}

TEST_F(DemoSuite, WithoutAMajorityItSaysSoAndCtrlCStillCounts) {
  const Tmux terminal(on_a_terminal() + "; read -p 'echo? ' word; echo \"[$word]\"", 90, 30);
  ASSERT_TRUE(terminal.wait_for("LEADER")) << terminal.screen();
  for (const char* const node : {"1", "2", "3"}) {
    terminal.press(node);
    ASSERT_TRUE(terminal.wait_for(fmt::format("node {}: k kills it", node))) << terminal.screen();
    terminal.press("k");
    ASSERT_TRUE(terminal.wait_for(fmt::format("{}    killed", node))) << terminal.screen();
  }
  ASSERT_TRUE(terminal.wait_for("no majority")) << terminal.screen();
  terminal.press("C-c");
  ASSERT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), ContainsRegex("lost +0\n"));
  terminal.type("typed");
  ASSERT_TRUE(terminal.wait_for("echo? typed")) << "the terminal echoes again: " << terminal.screen();
  EXPECT_THAT(nodes_left(), IsEmpty());
}

TEST_F(DemoSuite, WhateverEndsItNoNodeIsLeft) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    const auto result =
        cli_.run_until({"demo", "--auto", "--pause", "100", "--data", folder()}, "(leader)", signal);
    EXPECT_EQ(result.exit_code, signal == SIGTERM ? 3 : -1) << result.out << result.err;
    EXPECT_TRUE(all_nodes_end()) << "signal " << signal;
  }
}

TEST_F(DemoSuite, WrongWordsAreToldPlainly) {
  const auto script = cli_.run({"demo", "--auto", "--script", "lx"});
  EXPECT_EQ(script.exit_code, 2);
  EXPECT_THAT(script.err, HasSubstr("'x' is no key of a script"));
  std::filesystem::create_directory(folder_.path() / "node-1");
  const auto data = cli_.run({"demo", "--auto", "--data", folder()});
  EXPECT_EQ(data.exit_code, 2);
  EXPECT_THAT(data.err, HasSubstr("holds 1 nodes, and the demo has 5"));
}

TEST(OpenSuite, FindsThePageOfANodeThatIsAlive) {
  Cluster cluster(3);
  const int leader = cluster.wait_for_leader();
  const CliRunner cli(cluster.servers());
  ASSERT_EQ(cli.run({"register", "ann", "--password-stdin"}, "correct horse\n").exit_code, 0);
  const auto before = cli.run({"open", "--print"});
  EXPECT_THAT(before.out, ContainsRegex("^http://127\\.0\\.0\\.1:[0-9]+/\n$")) << before.err;
  cluster.stop(leader, SIGKILL);
  const auto after = cli.run({"open", "--print"});
  ASSERT_EQ(after.exit_code, 0) << after.err;
  const std::string address = after.out.substr(7, after.out.rfind('/') - 7);
  EXPECT_EQ(cli.run({"open", "--print", "--http", address}).out, after.out)
      << "and without asking the cluster";
}

}  // namespace
}  // namespace parley::testing
