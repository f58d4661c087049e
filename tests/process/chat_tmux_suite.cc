// `parley chat` on terminals, against real nodes: two people talk, one with a half-typed line, through a
// failover.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "tests/parley/cli_runner.h"
#include "tests/parley/tmux.h"
#include "tests/process/cluster.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;

class ChatTmuxSuite : public ::testing::Test {
 protected:
  ChatTmuxSuite() : ann_(cluster_.servers()), bob_(cluster_.servers()) {
    cluster_.wait_for_leader();
    EXPECT_EQ(ann_.run({"register", "ann", "--password-stdin"}, "correct horse\n").exit_code, 0);
    EXPECT_EQ(bob_.run({"register", "bob", "--password-stdin"}, "correct horse\n").exit_code, 0);
  }
  [[nodiscard]] static std::string chat(const CliRunner& who, const std::string& with) {
    return fmt::format("XDG_CONFIG_HOME={} LC_ALL=C.UTF-8 {} chat {}; echo left with $?",
                       who.config_home().string(), program("parley").string(), with);
  }
  Cluster cluster_{3};
  CliRunner ann_;
  CliRunner bob_;
};

TEST_F(ChatTmuxSuite, AHalfTypedLineStaysWhileAMessageComesIn) {
  EXPECT_EQ(bob_.run({"send", "ann", "from", "before"}).exit_code, 0);
  const Tmux ann(chat(ann_, "bob"), 80, 24);
  ASSERT_TRUE(ann.wait_for("bob: from before")) << ann.screen();
  ann.type("half a line");
  ASSERT_TRUE(ann.wait_for("ann> half a line")) << ann.screen();
  EXPECT_EQ(bob_.run({"send", "ann", "are", "you", "there?"}).exit_code, 0);
  ASSERT_TRUE(ann.wait_for("bob: are you there?")) << ann.screen();
  ASSERT_TRUE(ann.wait_until([](const std::string& screen) {
    const auto line = screen.find("\nann> half a line");
    return line != std::string::npos && line > screen.find("bob: are you there?") &&
           line == screen.rfind("\nann> half");
  })) << ann.screen();
  ann.type(", now whole");
  ann.press("Enter");
  ASSERT_TRUE(ann.wait_for("you: half a line, now whole")) << ann.screen();
  EXPECT_THAT(bob_.run({"inbox"}).out, HasSubstr("half a line, now whole"));
  EXPECT_THAT(ann_.run({"unread"}).out, HasSubstr("0  in all")) << "what was shown is read";
  ann.type("/quit");
  ann.press("Enter");
  EXPECT_TRUE(ann.wait_for("left with 0")) << ann.screen();
}

TEST_F(ChatTmuxSuite, TwoPeopleTalkThroughAFailover) {
  const Tmux ann(chat(ann_, "bob"), 80, 24);
  const Tmux bob(chat(bob_, "ann"), 80, 24);
  ASSERT_TRUE(ann.wait_for("you are talking to bob"));
  ASSERT_TRUE(bob.wait_for("you are talking to ann"));
  ann.type("one");
  ann.press("Enter");
  ASSERT_TRUE(bob.wait_for("ann: one")) << bob.screen();
  cluster_.stop(cluster_.wait_for_leader(), SIGKILL);
  bob.type("two");
  bob.press("Enter");
  ASSERT_TRUE(ann.wait_for("bob: two")) << ann.screen();
  ASSERT_TRUE(bob.wait_for("you: two")) << bob.screen();
  ann.type("three");
  ann.press("Enter");
  ASSERT_TRUE(bob.wait_for("ann: three")) << bob.screen();
}

}  // namespace
}  // namespace parley::testing
