// Flags of parleyd: defaults, what is refused and how.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parleyd/options.h"

namespace parley::parleyd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string mistake(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  EXPECT_FALSE(options) << "nothing is wrong with it";
  if (options) {
    return {};
  }
  EXPECT_EQ(options.error().exit_code, 2);
  return options.error().text;
}

TEST(Options, WithoutFlagsANodeIsAClusterOfItsOwn) {
  const auto options = parse_options({});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->id, base::NodeId(1));
  EXPECT_EQ(options->data_folder, "parley-data");
  EXPECT_EQ(options->client, (base::Address{"127.0.0.1", 7700}));
  EXPECT_EQ(options->peer, (base::Address{"127.0.0.1", 7701}));
  EXPECT_EQ(options->http, (base::Address{"127.0.0.1", 8080}));
  EXPECT_EQ(options->advertise_client, options->client);
  EXPECT_EQ(options->cluster, (std::vector<ListedPeer>{{base::NodeId(1), options->peer}}));
  EXPECT_FALSE(options->reset);
  EXPECT_TRUE(exposed_addresses(*options).empty());
}

TEST(Options, TheListGivesThePeerAddressUnlessToldOtherwise) {
  const std::vector<std::string> list = {"--id", "2", "--cluster",
                                         "2=127.0.0.1:20,1=127.0.0.1:10,3=127.0.0.1:30"};
  const auto listed = parse_options(list);
  ASSERT_TRUE(listed) << listed.error().text;
  EXPECT_EQ(listed->peer, (base::Address{"127.0.0.1", 20}));
  EXPECT_EQ(listed->cluster.front().id, base::NodeId(1)) << "sorted";
  auto behind_a_proxy = list;
  behind_a_proxy.insert(behind_a_proxy.end(), {"--peer", "127.0.0.1:99"});
  const auto behind = parse_options(behind_a_proxy);
  ASSERT_TRUE(behind) << behind.error().text;
  EXPECT_EQ(behind->peer.port, 99);
  EXPECT_EQ(behind->advertise_peer.port, 20) << "the others find it where the list says";
}

TEST(Options, AddressesAreChecked) {
  EXPECT_THAT(mistake({"--client", "http://127.0.0.1:7700/"}),
              AllOf(HasSubstr("--client"), HasSubstr("127.0.0.1:7700")));
  EXPECT_THAT(mistake({"--peer", "127.0.0.1"}), AllOf(HasSubstr("--peer"), HasSubstr("port")));
  EXPECT_THAT(mistake({"--peer", "127.0.0.1:65536"}), HasSubstr("65535"));
  EXPECT_THAT(mistake({"--advertise-client", "grpc://x:1"}), HasSubstr("--advertise-client"));
  EXPECT_THAT(mistake({"--cluster", "1=tcp://127.0.0.1:7701"}), HasSubstr("scheme"));
}

TEST(Options, TheListIsChecked) {
  EXPECT_THAT(mistake({"--cluster", "127.0.0.1:7701"}), HasSubstr("ID=HOST:PORT"));
  EXPECT_THAT(mistake({"--cluster", "0=127.0.0.1:7701"}), HasSubstr("ID=HOST:PORT"));
  EXPECT_THAT(mistake({"--cluster", "1=127.0.0.1:7701,"}), HasSubstr("ID=HOST:PORT"));
  EXPECT_THAT(mistake({"--cluster", "1=127.0.0.1:1,1=127.0.0.1:2"}), HasSubstr("twice"));
  EXPECT_THAT(mistake({"--id", "9", "--cluster", "1=127.0.0.1:1"}), HasSubstr("does not name this node, 9"));
  EXPECT_THAT(mistake({"--id", "0"}), HasSubstr("--id"));
  EXPECT_THAT(mistake({"--cluster", "1=127.0.0.1:1,2=127.0.0.1:2,3=127.0.0.1:1"}),
              AllOf(HasSubstr("nodes 1 and 3"), HasSubstr("one address, 127.0.0.1:1")));
  EXPECT_THAT(mistake({"--cluster", "1=127.0.0.1:1,2=0.0.0.0:2"}), HasSubstr("0.0.0.0:2"));
}

// A variable of a script or of a unit file that is not set: it must not found a cluster of one.
TEST(Options, AnEmptyValueIsNoValue) {
  for (const char* flag : {"--config", "--data", "--client", "--peer", "--http", "--cluster",
                           "--advertise-client", "--advertise-peer", "--advertise-http"}) {
    EXPECT_THAT(mistake({flag, ""}), HasSubstr(flag));
    EXPECT_THAT(mistake({std::string(flag) + "="}), HasSubstr(flag));
  }
}

TEST(Options, OneAddressIsOfOnePurpose) {
  EXPECT_THAT(mistake({"--client", "127.0.0.1:7701"}),
              AllOf(HasSubstr("--client"), HasSubstr("--peer"), HasSubstr("127.0.0.1:7701")));
  EXPECT_THAT(mistake({"--http", "127.0.0.1:7700"}), HasSubstr("127.0.0.1:7700"));
}

TEST(Options, WhatOthersCanReachNeedsInsecure) {
  EXPECT_THAT(mistake({"--client", "192.0.2.1:7700"}), HasSubstr("--insecure"));
  EXPECT_THAT(mistake({"--peer", "192.0.2.1:7701"}), HasSubstr("--insecure"));
  EXPECT_THAT(mistake({"--http", "192.0.2.1:8080"}), HasSubstr("--insecure"));
  const auto allowed = parse_options({"--client", "192.0.2.1:7700", "--insecure"});
  ASSERT_TRUE(allowed);
  EXPECT_EQ(exposed_addresses(*allowed), (std::vector<std::string>{"192.0.2.1:7700"}));
}

TEST(Options, EveryAddressIsNoAddressForOthers) {
  EXPECT_THAT(mistake({"--client", "0.0.0.0:7700", "--insecure"}), HasSubstr("--advertise-client"));
  EXPECT_THAT(mistake({"--http", "0.0.0.0:8080", "--insecure"}), HasSubstr("--advertise-http"));
  const auto named =
      parse_options({"--client", "0.0.0.0:7700", "--insecure", "--advertise-client", "192.0.2.1:7700"});
  ASSERT_TRUE(named) << named.error().text;
  EXPECT_EQ(named->advertise_client.host, "192.0.2.1");
}

TEST(Options, HelpShowsWhatWorksAndNothingElse) {
  const auto help = parse_options({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().exit_code, 0);
  for (const char* flag :
       {"--config", "--id", "--data", "--client", "--peer", "--http", "--cluster", "--advertise-client",
        "--advertise-peer", "--advertise-http", "--reset", "--insecure"}) {
    EXPECT_THAT(help.error().text, HasSubstr(flag));
  }
  EXPECT_THAT(help.error().text, AllOf(Not(HasSubstr("--join")), Not(HasSubstr("--priority"))));
}

TEST(Options, WhatComesLaterIsSaidPlainly) {
  EXPECT_THAT(mistake({"--join", "127.0.0.1:7701"}), HasSubstr("cannot join"));
}

TEST(Options, UnknownFlagsAndLeftOversAreMistakes) {
  EXPECT_THAT(mistake({"--clinet", "127.0.0.1:1"}), HasSubstr("--clinet"));
  EXPECT_THAT(mistake({"stray"}), HasSubstr("stray"));
}

}  // namespace
}  // namespace parley::parleyd
