// The cases of the chat against five real nodes, each through the leader and through a node that is not the
// leader.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/process/cases.h"
#include "tests/process/cluster.h"

namespace parley::testing {
namespace {

enum class Through : bool { leader, follower };

class MainSuite : public ::testing::TestWithParam<Through> {
 protected:
  static std::shared_ptr<Cluster>& cluster() {
    static std::shared_ptr<Cluster> cluster;
    return cluster;
  }
  static void SetUpTestSuite() { cluster() = std::make_shared<Cluster>(5); }
  static void TearDownTestSuite() { cluster().reset(); }

  // The leader may change under way: then a case ran through another node than it says, which harms nothing.
  void run(const std::string& name) {
    const int leader = cluster()->wait_for_leader();
    const bool is_leader = GetParam() == Through::leader;
    const auto api = grpc_api(*cluster(), {is_leader ? leader : cluster()->any_follower(leader)});
    const World world{.api = api.get()};
    for (const Case& one : all_cases(world, is_leader ? "ml." : "mf.")) {
      if (one.name != name) {
        continue;
      }
      for (const Step& step : one.steps) {
        SCOPED_TRACE(one.name + ": " + step.name);
        step.run();
        ASSERT_FALSE(HasFatalFailure());
      }
      return;
    }
    FAIL() << "there is no case " << name;
  }
};

#define PARLEY_MAIN_CASE(name) \
  TEST_P(MainSuite, name) { run(#name); }
PARLEY_MAIN_CASE(Create)
PARLEY_MAIN_CASE(LogIn)
PARLEY_MAIN_CASE(ChangePassword)
PARLEY_MAIN_CASE(LookUp)
PARLEY_MAIN_CASE(ListByGlob)
PARLEY_MAIN_CASE(DeleteAccount)
PARLEY_MAIN_CASE(Send)
PARLEY_MAIN_CASE(List)
PARLEY_MAIN_CASE(PagesWhileMessagesComeAndGo)
PARLEY_MAIN_CASE(UnreadCounts)
PARLEY_MAIN_CASE(MarkRead)
PARLEY_MAIN_CASE(Delete)
#undef PARLEY_MAIN_CASE

// No case is forgotten above.
TEST(MainCases, AreTwelve) { EXPECT_EQ(all_cases(World{}, "x").size(), 12U); }

INSTANTIATE_TEST_SUITE_P(Grpc, MainSuite, ::testing::Values(Through::leader, Through::follower),
                         [](const auto& through) {
                           return std::string(through.param == Through::leader ? "ThroughTheLeader"
                                                                               : "ThroughAFollower");
                         });

}  // namespace
}  // namespace parley::testing
