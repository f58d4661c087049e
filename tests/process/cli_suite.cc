// `parley` against real nodes: every command, exit codes, --json, failover, an unknown outcome.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "parley/v1/api.pb.h"
#include "tests/parley/cli_runner.h"
#include "tests/process/cluster.h"
#include "tests/process/faulty_proxy.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kPassword = "correct horse\n";

template <class Message>
Message parsed(const std::string& json) {
  Message message;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << json;
  return message;
}

class CliSuite : public ::testing::Test {
 protected:
  CliSuite() : ann_(cluster_.servers()), bob_(cluster_.servers()) {
    cluster_.wait_for_leader();
    expect_done(ann_.run({"register", "ann", "--password-stdin"}, kPassword), HasSubstr("registered ann"));
    expect_done(bob_.run({"register", "bob", "--password-stdin"}, kPassword), HasSubstr("registered bob"));
  }

  static void expect_done(const CliResult& result, const ::testing::Matcher<std::string>& out) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, out);
  }
  static void expect_refused(const CliResult& result, const std::string& why, int exit_code = 1) {
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, HasSubstr(why));
  }
  // The id in "sent [12] to bob".
  static std::string id_of(const CliResult& sent) {
    std::smatch match;
    EXPECT_TRUE(std::regex_search(sent.out, match, std::regex(R"(\[(\d+)\])"))) << sent.out << sent.err;
    return match.empty() ? "0" : match[1].str();
  }

  Cluster cluster_{3};
  CliRunner ann_;
  CliRunner bob_;
};

TEST_F(CliSuite, EveryCommand) {
  expect_done(ann_.run({"users"}), HasSubstr("ann\nbob\n"));
  expect_done(ann_.run({"users", "b*", "--limit", "1"}), "bob\n");
  const auto sent = ann_.run({"send", "bob", "see", "you"});
  const std::string id = id_of(sent);
  expect_done(ann_.run({"send", "bob", "-"}, "two\nlines\n"), HasSubstr("to bob"));
  expect_done(bob_.run({"unread"}), HasSubstr("     2  ann"));
  expect_done(bob_.run({"inbox"}), HasSubstr("ann -> bob (unread): see you"));
  expect_done(bob_.run({"history", "ann", "--limit", "1"}), HasSubstr("two\n        lines"));
  expect_done(bob_.run({"read", id}), "read: " + id + "\n");
  EXPECT_THAT(lines_of(bob_.run({"inbox", "--unread"}).out), SizeIs(2)) << "one message of two lines";
  expect_done(bob_.run({"delete", id}), "deleted: " + id + "\n");
  EXPECT_THAT(bob_.run({"inbox"}).out, Not(HasSubstr("see you")));
  expect_done(ann_.run({"cluster", "status"}), HasSubstr("leader"));
  expect_done(ann_.run({"passwd", "--password-stdin"}, "correct horse\nbattery staple\n"),
              HasSubstr("changed"));
  expect_done(ann_.run({"logout"}), "logged out\n");
  expect_refused(ann_.run({"inbox"}), "parley login");
  expect_refused(ann_.run({"login", "ann", "--password-stdin"}, kPassword), "password");
  expect_done(ann_.run({"login", "ann", "--password-stdin"}, "battery staple\n"),
              HasSubstr("logged in as ann"));
  expect_done(ann_.run({"delete-account", "--password-stdin"}, "battery staple\n"), "account deleted\n");
  expect_refused(bob_.run({"send", "ann", "hello?"}), "Recipient does not exist.");
}

TEST_F(CliSuite, JsonIsTheApisMessages) {
  const auto sent = parsed<v1::SendMessageResponse>(ann_.run({"--json", "send", "bob", "hi"}).out);
  EXPECT_EQ(sent.message().body(), "hi");
  const auto inbox = lines_of(bob_.run({"inbox", "--json"}).out);
  ASSERT_THAT(inbox, SizeIs(1));
  EXPECT_EQ(parsed<v1::Message>(inbox[0]).id(), sent.message().id());
  EXPECT_THAT(lines_of(ann_.run({"users", "--json", "[ab]*"}).out), SizeIs(2));
  EXPECT_EQ(parsed<v1::GetUnreadCountsResponse>(bob_.run({"unread", "--json"}).out).total(), 1U);
  const auto status = parsed<v1::GetStatusResponse>(bob_.run({"cluster", "status", "--json"}).out);
  EXPECT_EQ(status.nodes_size(), 3);
  EXPECT_TRUE(status.writable());
  const auto watched = lines_of(
      bob_.run({"watch", "--json", "--after", std::to_string(sent.position() - 1), "--count", "1"}).out);
  ASSERT_THAT(watched, Not(IsEmpty()));
  EXPECT_EQ(parsed<v1::WatchResponse>(watched.back()).message().body(), "hi");
}

TEST_F(CliSuite, ProfilesAreSessionsSideBySide) {
  expect_done(ann_.run({"--profile", "second", "login", "bob", "--password-stdin"}, kPassword),
              HasSubstr("bob"));
  expect_done(ann_.run({"--profile", "second", "send", "ann", "from", "bob"}), HasSubstr("to ann"));
  EXPECT_THAT(ann_.run({"inbox"}).out, HasSubstr("from bob"));
}

TEST_F(CliSuite, GoesOnThroughAFailover) {
  const int leader = cluster_.wait_for_leader();
  cluster_.stop(leader, SIGKILL);
  for (int i = 0; i < 4; ++i) {
    expect_done(ann_.run({"send", "bob", "still", "here"}), HasSubstr("to bob"));
  }
  EXPECT_THAT(lines_of(bob_.run({"inbox"}).out), SizeIs(4));
}

TEST_F(CliSuite, UnavailableSaysSoAndStaleReadsSayHowOldTheyAre) {
  expect_done(ann_.run({"send", "ann", "a", "note"}), HasSubstr("sent"));
  const int leader = cluster_.wait_for_leader();
  const int last = cluster_.any_follower(leader);
  cluster_.wait_until_applied({last}, std::stoull(id_of(ann_.run({"send", "ann", "another"}))));
  for (const int node : cluster_.ids()) {
    if (node != last) {
      cluster_.stop(node, SIGKILL);
    }
  }
  // Once the last node knows that it is alone.
  ASSERT_TRUE(wait_until([&] {
    const auto status = cluster_.status(last);
    return status && !status->writable();
  }));
  // Where the time ends within an attempt nobody knows why: then it is asked anew.
  const auto expect_unavailable = [&](const std::vector<std::string>& arguments) {
    CliResult result = ann_.run(arguments);
    for (int again = 0; again < 2 && result.exit_code == 4; ++again) {
      result = ann_.run(arguments);
    }
    expect_refused(result, "unavailable", 3);
  };
  expect_unavailable({"send", "bob", "hi", "--timeout", "4"});
  expect_unavailable({"inbox", "--timeout", "4"});
  const auto stale = ann_.run({"inbox", "--stale"});
  expect_done(stale, HasSubstr("a note"));
  EXPECT_THAT(stale.err, HasSubstr("ms old"));
}

TEST_F(CliSuite, AnUnknownOutcomeIsAskedAgainAndNeverDoneTwice) {
  FaultyProxy proxy(cluster_.client_address(cluster_.wait_for_leader()));
  CliRunner through_proxy(to_string(proxy.address()));
  expect_done(through_proxy.run({"login", "ann", "--password-stdin"}, kPassword), HasSubstr("ann"));
  // gRPC connects and sends before it hears anything, but the program waits for the connection: let that
  // through.
  proxy.drop_data_replies();
  const auto result = through_proxy.run({"send", "bob", "once", "--timeout", "8"});
  EXPECT_EQ(result.exit_code, 4) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("outcome unknown"));
  std::smatch match;
  ASSERT_TRUE(std::regex_search(result.err, match, std::regex("--request-id (\\S+)")));
  through_proxy.set_servers(cluster_.servers());
  for (int i = 0; i < 2; ++i) {
    expect_done(through_proxy.run({"send", "bob", "once", "--request-id", match[1].str()}),
                HasSubstr("to bob"));
  }
  EXPECT_THAT(lines_of(bob_.run({"inbox"}).out), SizeIs(1));
}

// The first attempt reaches a node and its reply is lost; while it is asked again, the way back opens.
TEST_F(CliSuite, J22_ALostReplyIsToldAsUnknownWhileItIsAskedAgainAndThenAsSent) {
  FaultyProxy proxy(cluster_.client_address(cluster_.wait_for_leader()));
  const CliRunner through_proxy(to_string(proxy.address()));
  expect_done(through_proxy.run({"login", "ann", "--password-stdin"}, kPassword), HasSubstr("ann"));
  proxy.drop_data_replies();
  bool was_told = false;
  const auto result =
      through_proxy.run_watched({"send", "bob", "once", "--timeout", "60"}, "", [&](const std::string& err) {
        if (err.contains("outcome unknown, asking again")) {
          was_told = true;
          proxy.pass_replies();
        }
      });
  EXPECT_TRUE(was_told) << result.err;
  expect_done(result, HasSubstr("to bob"));
  EXPECT_THAT(lines_of(result.err), SizeIs(1)) << result.err;
  EXPECT_THAT(lines_of(bob_.run({"inbox"}).out), ElementsAre(HasSubstr("once")));
}

// What nothing that is refused may change.
class SeenByAnn {
 public:
  explicit SeenByAnn(const CliRunner& ann) : ann_(ann), before_(rows()) {}
  void expect_nothing_changed() const { EXPECT_EQ(rows(), before_); }

 private:
  [[nodiscard]] std::string rows() const {
    return ann_.run({"users"}).out + ann_.run({"inbox"}).out + ann_.run({"history", "bob"}).out +
           ann_.run({"unread"}).out;
  }
  const CliRunner& ann_;
  std::string before_;
};

// Bad input is refused with a message that names the limit.
TEST_F(CliSuite, BadInputNamesItsLimit) {
  const std::string id = id_of(ann_.run({"send", "ann", "a", "note"}));
  expect_done(bob_.run({"send", "ann", "hello"}), HasSubstr("sent"));
  const SeenByAnn unchanged(ann_);
  const CliRunner nobody(cluster_.servers());
  expect_refused(nobody.run({"register", "", "--password-stdin"}, kPassword), "32");
  expect_refused(nobody.run({"register", std::string(33, 'a'), "--password-stdin"}, kPassword), "32");
  expect_refused(nobody.run({"register", "a b", "--password-stdin"}, kPassword), "a-z");
  for (const char* const name : {"a\x1b[2J", "a\nb", "a\x7f", "a\xc2\x9b", "a\xe2\x80\xae", "b\xff"}) {
    const auto result = nobody.run({"register", name, "--password-stdin"}, kPassword);
    expect_refused(result, "1 to 32 of a-z 0-9 . _ -");
    expect_refused(ann_.run({"send", name, "hello"}), "1 to 32 of a-z 0-9 . _ -");
    EXPECT_THAT(lines_of(result.err), SizeIs(1)) << "nothing in it breaks the line";
  }
  expect_refused(nobody.run({"register", "carl", "--password-stdin"}, "short\n"), "8 to 128 bytes");
  expect_refused(nobody.run({"register", "carl", "--password-stdin"}, "\n"), "8 to 128 bytes");
  expect_refused(nobody.run({"register", "carl", "--password-stdin"}, "no text: \xff\n"), "8 to 128 bytes");
  expect_refused(ann_.run({"passwd", "--password-stdin"}, "correct horse\nshort\n"), "8 to 128 bytes");
  expect_refused(nobody.run({"register", "carl", "--password-stdin"}, std::string(129, 'p') + "\n"), "128");
  expect_refused(ann_.run({"send", "bob", ""}), "16");
  expect_refused(ann_.run({"send", "bob", "-"}, std::string(16'385, 'x')), "16");
  expect_refused(ann_.run({"send", "bob", "no text: \xff"}), "UTF-8");
  expect_refused(ann_.run({"users", std::string(65, '*')}), "64");
  for (const char* const command : {"read", "delete"}) {
    std::vector<std::string> ids = {command, id};
    while (ids.size() <= 1'001) {
      ids.push_back(std::to_string(ids.size()));
    }
    expect_refused(ann_.run(ids), "1 to 1000 ids, not 1001");
  }
  expect_refused(ann_.run({"--servers", "http://127.0.0.1:1", "inbox"}), "scheme", 2);
  unchanged.expect_nothing_changed();
  expect_done(ann_.run({"login", "ann", "--password-stdin"}, kPassword), HasSubstr("logged in as ann"));
  expect_done(ann_.run({"send", "bob", "-"}, std::string(16'384, 'x')), HasSubstr("sent"));
}

// 7701 for 7700, say. Which server is asked first is chance.
TEST_F(CliSuite, APeerPortInTheListIsNoHarmAndAloneItIsNamed) {
  const std::string peer_port = to_string(cluster_.listening(1).at(1));
  ann_.set_servers(peer_port + "," + cluster_.servers({2}));
  for (int i = 0; i < 6; ++i) {
    expect_done(ann_.run({"send", "bob", "hello"}), HasSubstr("to bob"));
  }
  EXPECT_THAT(lines_of(bob_.run({"inbox"}).out), SizeIs(6));
  ann_.set_servers(peer_port);
  expect_refused(ann_.run({"send", "bob", "hello"}), peer_port + " does not take clients' calls");
  expect_refused(ann_.run({"inbox"}), peer_port + " does not take clients' calls");
}

TEST_F(CliSuite, ANodeOfAnotherClusterInTheListIsNoHarmAndAloneItSaysSo) {
  Cluster other(1);
  other.wait_for_leader();
  ann_.set_servers(other.servers() + "," + cluster_.servers({1}));
  for (int i = 0; i < 6; ++i) {
    expect_done(ann_.run({"send", "bob", "hello"}), HasSubstr("to bob"));
  }
  EXPECT_THAT(lines_of(ann_.run({"history", "bob"}).out), SizeIs(6));
  ann_.set_servers(other.servers());
  expect_refused(ann_.run({"send", "bob", "hello"}), "not one of this cluster; log in again");
}

// Of a form that no node ever gave, of another cluster, and such as cannot even be sent.
TEST_F(CliSuite, TokensThatAreNoneAreRefused) {
  const auto file = ann_.config_home() / "parley" / "default.toml";
  const std::string of_another_cluster(54, 'A');
  for (const auto& [token, advice] :
       std::vector<std::pair<std::string, std::string>>{{"garbage", "log in again"},
                                                        {of_another_cluster, "log in again"},
                                                        {"\u00fcber", "try: parley login NAME"},
                                                        {R"(two\nlines)", "try: parley login NAME"}}) {
    SCOPED_TRACE(token);
    std::ofstream(file) << "account = \"ann\"\naccount_id = 1\ntoken = \"" << token << "\"\n";
    expect_refused(ann_.run({"send", "bob", "hello"}), advice);
    expect_refused(ann_.run({"inbox"}), advice);
    const auto in_json = ann_.run({"--json", "inbox"});
    EXPECT_EQ(in_json.exit_code, 1);
    EXPECT_THAT(in_json.err, HasSubstr("\"code\":\"UNAUTHENTICATED\""));
  }
  EXPECT_THAT(bob_.run({"inbox"}).out, IsEmpty());
  expect_done(ann_.run({"login", "ann", "--password-stdin"}, kPassword), HasSubstr("logged in as ann"));
  expect_done(ann_.run({"send", "bob", "hello"}), HasSubstr("to bob"));
}

}  // namespace
}  // namespace parley::testing
