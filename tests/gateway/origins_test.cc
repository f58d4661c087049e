// Whose pages may call this node, and by which names it is known.
#include "gateway/origins.h"

#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

gateway::Origins cluster_of_two() {
  gateway::Origins origins({{"127.0.0.1", 8080}});
  origins.set_members({"127.0.0.1:8080", "Chat.example:8081", "192.0.2.7:80", "chat.example:443",
                       "[2001:db8::1]:8080", "no address", "0.0.0.0:9000"});
  return origins;
}

TEST(Origins, HostsOfTheClusterAndAddresses) {
  const auto origins = cluster_of_two();
  for (const char* host : {"localhost", "localhost:9999", "127.0.0.1:8080", "[::1]:8080", "198.51.100.1",
                           "chat.example", "CHAT.example:1", "192.0.2.7"}) {
    EXPECT_TRUE(origins.is_own_host(host)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8080", "chat.example.evil.example",
                           "127.0.0.1.evil.example", "localhost.evil.example", "", "[", "[::1"}) {
    EXPECT_FALSE(origins.is_own_host(host)) << host;
  }
}

TEST(Origins, OriginsOfTheMembersAndTheirTwins) {
  const auto origins = cluster_of_two();
  for (const char* origin : {"http://127.0.0.1:8080", "http://localhost:8080", "http://chat.example:8081",
                             "http://192.0.2.7", "https://chat.example", "http://[2001:db8::1]:8080"}) {
    EXPECT_TRUE(origins.is_own_origin(origin, "other:1")) << origin;
  }
  for (const char* origin : {"null", "http://evil.example", "http://127.0.0.1:9", "http://192.0.2.7:8080",
                             "http://chat.example:8081.evil.example", "file://", "http://127.0.0.1"}) {
    EXPECT_FALSE(origins.is_own_origin(origin, "127.0.0.1:8080")) << origin;
  }
  EXPECT_TRUE(origins.is_own_origin("http://localhost:9999", "localhost:9999")) << "through a tunnel";
}

TEST(Origins, ThePolicyNamesTheMembers) {
  const auto origins = cluster_of_two();
  const std::string& sources = origins.connect_sources();
  for (const char* source : {"'self'", " http://127.0.0.1:8080", " http://localhost:8080",
                             " http://chat.example:8081", " http://192.0.2.7", " https://chat.example"}) {
    EXPECT_THAT(sources, HasSubstr(source));
  }
  EXPECT_THAT(sources, Not(HasSubstr("0.0.0.0")));
  EXPECT_THAT(sources, Not(HasSubstr("[")));
  EXPECT_THAT(sources, Not(HasSubstr(";")));
}

TEST(Origins, ANameThatWouldBreakThePolicyIsLeftOut) {
  gateway::Origins origins({{"127.0.0.1", 8080}});
  origins.set_members({"evil; script-src *:80", "a b:80", "a\r\nSet-Cookie: x:80", "*:80", "'none':80"});
  EXPECT_EQ(origins.connect_sources(), "'self' http://localhost:8080 http://127.0.0.1:8080");
}

class Cors : public GatewayFixture {
 protected:
  [[nodiscard]] std::string twin() const { return "http://localhost:" + std::to_string(port()); }
};

TEST_F(Cors, APageOfTheClusterMayAsk) {
  const auto allowed = ask("OPTIONS", kAccounts + "LogIn",
                           {{"Origin", twin()},
                            {"Access-Control-Request-Method", "POST"},
                            {"Access-Control-Request-Headers", "content-type"},
                            {"Access-Control-Request-Private-Network", "true"}});
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("access-control-allow-origin"), twin());
  EXPECT_THAT(allowed.header("access-control-allow-headers"), HasSubstr("authorization"));
  EXPECT_THAT(allowed.header("access-control-allow-headers"), HasSubstr("connect-timeout-ms"));
  EXPECT_THAT(allowed.header("access-control-allow-methods"), HasSubstr("POST"));
  EXPECT_EQ(allowed.header("access-control-allow-private-network"), "true");
  EXPECT_EQ(allowed.header("vary"), "Origin");
  const auto answer = post_json(kAccounts + "LogIn", "{}", {}, {{"Origin", twin()}});
  EXPECT_EQ(answer.status, 400) << "carried out, and refused for its content";
  EXPECT_EQ(answer.header("access-control-allow-origin"), twin());
}

TEST_F(Cors, AStrangersPageMayNot) {
  for (const std::string origin : {"http://evil.example", "null", "http://127.0.0.1:1"}) {
    const auto preflight =
        ask("OPTIONS", kAccounts + "LogIn", {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(preflight.status, 403);
    EXPECT_EQ(preflight.header("access-control-allow-origin"), "");
    const auto reply = post_json(kAccounts + "CreateAccount", R"({"name":"eve","password":"password one"})",
                                 {}, {{"Origin", origin}});
    EXPECT_EQ(reply.status, 403);
    EXPECT_EQ(reply.header("access-control-allow-origin"), "");
  }
  EXPECT_EQ(api_.node.writes(), 0U);
}

TEST_F(Cors, ANameThatSomebodyPointsHereIsRefused) {
  const auto reply = post_json(kAccounts + "CreateAccount", R"({"name":"eve","password":"password one"})", {},
                               {{"Host", "evil.example:8080"}, {"Origin", "http://evil.example:8080"}});
  EXPECT_EQ(reply.status, 421);
  EXPECT_THAT(reply.body, HasSubstr("--advertise-http"));
  EXPECT_EQ(api_.node.writes(), 0U);
  EXPECT_EQ(ask("GET", "/", {{"Host", "evil.example"}}).status, 421);
  EXPECT_EQ(ask("GET", "/healthz", {{"Host", "evil.example"}}).status, 200) << "a probe knows other names";
}

}  // namespace
}  // namespace parley::test
