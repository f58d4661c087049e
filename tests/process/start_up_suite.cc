// Mistakes at the start of a node: beside a running one, with another one's folder. Nothing is changed, and
// what was wrong is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process/cluster.h"
#include "tests/process/talk.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;

enum class Ports : std::uint8_t { its_own, others };

class StartUpSuite : public ::testing::Test {
 protected:
  // A second parleyd that says it is `node`, on the folder of `owner`. It has to end by itself; what it said.
  std::string fails_to_start(int node, int owner, Ports ports, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {program("parleyd").string(),
                                        "--id",
                                        std::to_string(node),
                                        "--data",
                                        cluster_.data_folder(owner).string(),
                                        "--cluster",
                                        cluster_.members_list(cluster_.ids())};
    const std::vector<base::Address> own = cluster_.listening(node);
    std::size_t at = 0;
    for (const char* flag : {"--client", "--peer", "--http"}) {
      const base::Address address =
          ports == Ports::its_own ? own.at(at) : base::Address{"127.0.0.1", free_port()};
      command.insert(command.end(), {flag, base::to_string(address)});
      ++at;
    }
    command.insert(command.end(), more.begin(), more.end());
    const auto file = cluster_.folder() / ("second-" + std::to_string(++starts_) + ".log");
    Process second(command, file);
    EXPECT_TRUE(second.wait_for_end(std::chrono::minutes(1))) << "it runs";
    EXPECT_TRUE(WIFEXITED(second.status())) << second.status();
    EXPECT_EQ(WEXITSTATUS(second.status()), 1);
    std::ostringstream said;
    said << std::ifstream(file).rdbuf();
    return said.str();
  }

  Cluster cluster_{3};

 private:
  int starts_ = 0;
};

TEST_F(StartUpSuite, BesideARunningNodeNothingIsChangedNotEvenByReset) {
  cluster_.wait_for_leader();
  const auto client = cluster_.client();
  const std::string ann = sign_up(*client, "ann");
  client->set_token(ann);
  ASSERT_NE(send_note(*client, "ann", "before"), 0U);
  for (const int node : cluster_.ids()) {
    EXPECT_THAT(fails_to_start(node, node, Ports::its_own, {"--reset"}), HasSubstr("the address is in use"));
    EXPECT_THAT(fails_to_start(node, node, Ports::others, {"--reset"}),
                HasSubstr("another process works on this folder"));
    EXPECT_THAT(fails_to_start(node, node, Ports::others), HasSubstr("another process works on this folder"));
  }
  ASSERT_NE(send_note(*client, "ann", "after"), 0U);
  cluster_.wait_for_leader();
  cluster_.stop_all(SIGKILL);
  cluster_.start_all();
  cluster_.wait_for_leader();
  for (const int node : cluster_.ids()) {
    const auto messages = inbox_of(cluster_, {node}, ann);
    ASSERT_EQ(messages.size(), 2U) << "node " << node;
    EXPECT_EQ(messages.front().body, "before");
    EXPECT_EQ(messages.back().body, "after");
  }
}

TEST_F(StartUpSuite, AFolderThatIsAnotherNodesIsRefusedByName) {
  cluster_.wait_for_leader();
  const auto client = cluster_.client();
  const std::string ann = sign_up(*client, "ann");
  cluster_.stop(2, SIGTERM);
  cluster_.stop(3, SIGKILL);
  EXPECT_THAT(fails_to_start(3, 2, Ports::its_own), HasSubstr("is the folder of node 2"));
  EXPECT_THAT(fails_to_start(2, 3, Ports::its_own), HasSubstr("is the folder of node 3"));
  cluster_.start(2);
  cluster_.start(3);
  cluster_.wait_for_leader();
  client->set_token(ann);
  EXPECT_NE(send_note(*client, "ann", "all is well"), 0U);
}

}  // namespace
}  // namespace parley::testing
