// The cases of the chat against five real nodes, each through the leader and through a node that is not the
// leader, over gRPC and over Connect as JSON and as protobuf.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <tuple>

#include "tests/process/cases.h"
#include "tests/process/cluster.h"

namespace parley::testing {
namespace {

enum class Through : bool { leader, follower };

struct Way {
  std::string name;    // of the transport
  std::string prefix;  // of the accounts, which all ways have in one cluster
  ApiFactory api;
};

class MainSuite : public ::testing::TestWithParam<std::tuple<Way, Through>> {
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
    const auto& [way, through] = GetParam();
    const bool is_leader = through == Through::leader;
    const auto api = way.api(*cluster(), {is_leader ? leader : cluster()->any_follower(leader)});
    const World world{.api = api.get()};
    for (const Case& one : all_cases(world, way.prefix + (is_leader ? "l." : "f."))) {
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

INSTANTIATE_TEST_SUITE_P(Api, MainSuite,
                         ::testing::Combine(::testing::Values(Way{"Grpc", "m", grpc_api},
                                                              Way{"ConnectJson", "j", connect_json_api},
                                                              Way{"ConnectProto", "p", connect_proto_api}),
                                            ::testing::Values(Through::leader, Through::follower)),
                         [](const auto& way) {
                           return std::get<0>(way.param).name + (std::get<1>(way.param) == Through::leader
                                                                     ? "ThroughTheLeader"
                                                                     : "ThroughAFollower");
                         });

}  // namespace
}  // namespace parley::testing
