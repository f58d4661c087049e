// The program against scripted servers: what it prints where, its exit codes, what it sends.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/scripted_person.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(Cli, LoginKeepsServersAndTokenForItsOwnerAlone) {
  ScriptedPerson ann({});
  const auto file = ann.cli().config_home() / "parley" / "default.toml";
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(file.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST(Cli, WhereNobodyListensItSaysSoLongBeforeItsTimeIsOver) {
  const std::string first = to_string(dead_address());
  const std::string second = to_string(dead_address());
  const CliRunner cli(first + "," + second);
  // Longer than the runner lets a program live.
  const auto result = cli.run({"--timeout", "600", "login", "ann", "--password-stdin"}, "correct horse\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("unavailable"));
  EXPECT_THAT(result.err, HasSubstr(first));
  EXPECT_THAT(result.err, HasSubstr(second));
}

Handler<v1::GetStatusRequest, v1::GetStatusResponse> status_of(std::uint32_t id, v1::Role role,
                                                               std::uint64_t applied,
                                                               const std::vector<std::string>& addresses) {
  return [=](grpc::ServerContext&, const v1::GetStatusRequest&, v1::GetStatusResponse& response) {
    response.set_cluster_id("c0ffee");
    response.set_node_id(id);
    response.set_role(role);
    response.set_leader_id(1);
    response.set_applied_index(applied);
    for (const std::string& address : addresses) {
      auto& node = *response.add_nodes();
      node.set_id(static_cast<std::uint32_t>(response.nodes_size()));
      node.set_client_addr(address);
      node.set_match_index(700U + node.id());
    }
    return grpc::Status::OK;
  };
}

// Node 2 is known only from node 1's answer; node 3 is dead; a node of another cluster is none of ours.
TEST(Cli, ClusterStatusShowsEachNodesOwnView) {
  Script second;
  second.get_status = status_of(2, v1::ROLE_FOLLOWER, 4321, {});
  const ScriptedServer follower(std::move(second));
  Script stranger;
  stranger.get_status = [](grpc::ServerContext&, const v1::GetStatusRequest&,
                           v1::GetStatusResponse& response) {
    response.set_cluster_id("another");
    response.set_node_id(4);
    return grpc::Status::OK;
  };
  const ScriptedServer other(std::move(stranger));
  Script first;
  first.get_status = status_of(
      1, v1::ROLE_LEADER, 1234,
      {"127.0.0.1:1", to_string(follower.address()), to_string(dead_address()), to_string(other.address())});
  const ScriptedPerson ann(std::move(first));
  const auto result = ann.run({"cluster", "status"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto table = lines_of(result.out);
  ASSERT_THAT(table, SizeIs(2 + 4)) << result.out;
  EXPECT_THAT(table[2], HasSubstr("leader"));
  EXPECT_THAT(table[2], HasSubstr("1234"));
  EXPECT_THAT(table[3], HasSubstr("follower"));
  EXPECT_THAT(table[3], HasSubstr("4321"));
  EXPECT_THAT(table[4], HasSubstr("no answer; leader: stored 703, never seen"));
  EXPECT_THAT(table[5], HasSubstr("no answer"));
  v1::GetStatusResponse parsed;
  const auto json = ann.run({"cluster", "status", "--json"}).out;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &parsed).ok()) << json;
  EXPECT_EQ(parsed.node_id(), 1U);
}

TEST(Cli, WhatCannotBeUnderstoodIsNamed) {
  const CliRunner cli("");
  const auto bare = cli.run({});
  EXPECT_EQ(bare.exit_code, 2);
  EXPECT_EQ(bare.err, "parley: no command was given\nparley --help tells more\n");
  EXPECT_THAT(cli.run({"inbxo"}).err, HasSubstr("there is no command \"inbxo\"\nparley --help tells"));
  EXPECT_THAT(cli.run({"cluster", "stats"}).err, HasSubstr("there is no command \"stats\""));
  const auto lacks = cli.run({"send", "bob"});
  EXPECT_EQ(lacks.exit_code, 2);
  EXPECT_EQ(lacks.err, "parley: TEXT is required\nparley --help and parley send --help tell more\n");
}

TEST(Cli, AWrongPasswordIsRefused) {
  const ScriptedServer server(with_log_in({}));
  const CliRunner cli(to_string(server.address()));
  const auto result = cli.run({"login", "ann", "--password-stdin"}, "wrong horse\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_EQ(result.err, "parley: wrong name or password\n");
}

TEST(Cli, WithoutATerminalAPasswordComesFromStdinOnly) {
  const ScriptedServer server(with_log_in({}));
  const CliRunner cli(to_string(server.address()));
  const auto result = cli.run({"login", "ann"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--password-stdin"));
}

TEST(Cli, UsageIsExitCode2OnStderr) {
  const CliRunner cli("");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                    {"fly"},
                                                    {"send"},
                                                    {"send", "bob"},
                                                    {"inbox", "--limit", "many"},
                                                    {"--servers", "http://localhost:7700", "inbox"},
                                                    {"--servers", "localhost", "inbox"},
                                                    {"--profile", "../x", "inbox"},
                                                    {"--timeout", "0", "inbox"},
                                                    {"read", "x"},
                                                    {"cluster"},
                                                    {"send", "bob", "hi", "--request-id", "1"}}) {
    const auto result = cli.run(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, Not(IsEmpty()));
  }
  EXPECT_THAT(cli.run({"--servers", "http://localhost:7700", "inbox"}).err, HasSubstr("\"localhost:7700\""));
}

TEST(Cli, EveryCommandHasHelpWithAnExample) {
  const CliRunner cli("");
  EXPECT_EQ(cli.run({"--help"}).exit_code, 0);
  for (const std::string command :
       {"register", "login", "logout", "passwd", "delete-account", "users", "send", "inbox", "history",
        "read", "delete", "unread", "watch", "chat", "cluster"}) {
    const auto result = cli.run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_THAT(result.out, HasSubstr("Example:\n  ")) << command;
  }
}

TEST(Cli, NotLoggedIn) {
  const CliRunner cli("127.0.0.1:1");
  const auto result = cli.run({"inbox"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("parley login NAME"));
}

TEST(Cli, NobodyThereIsUnavailableAndSaysSo) {
  ScriptedPerson ann({});
  ann.cli().set_servers(to_string(dead_address()));
  const auto result = ann.run({"send", "bob", "hi", "--timeout", "0.5"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("unavailable: cannot connect"));
}

TEST(Cli, SendsWordsAndStandardInput) {
  std::mutex mutex;
  std::vector<std::string> bodies;
  Script script;
  script.send_message = [&](grpc::ServerContext& context, const v1::SendMessageRequest& request,
                            v1::SendMessageResponse& response) {
    const auto token = context.client_metadata().find("authorization");
    EXPECT_EQ(std::string(token->second.begin(), token->second.end()),
              std::string("Bearer ") + kScriptedToken);
    const std::scoped_lock lock(mutex);
    bodies.push_back(request.body());
    response.mutable_message()->set_id(77);
    response.mutable_message()->set_recipient(request.recipient());
    return grpc::Status::OK;
  };
  const ScriptedPerson ann(script);
  const auto words = ann.run({"send", "bob", "see", "you", "at", "six"});
  EXPECT_EQ(words.exit_code, 0) << words.err;
  EXPECT_EQ(words.out, "sent [77] to bob\n");
  EXPECT_EQ(ann.run({"send", "bob", "-"}, "a letter\nof two lines\n").exit_code, 0);
  EXPECT_EQ(ann.run({"send", "bob", "--", "--json"}).exit_code, 0);
  EXPECT_THAT(bodies, ElementsAre("see you at six", "a letter\nof two lines", "--json"));
}

TEST(Cli, AnUnknownOutcomeIsExitCode4AndTellsHowToAskAgain) {
  std::mutex mutex;
  std::vector<std::string> ids;
  std::atomic<bool> healed = false;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest& request,
                            v1::SendMessageResponse&) {
    const std::scoped_lock lock(mutex);
    ids.push_back(request.request_id());
    return healed ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAVAILABLE, "reply lost");
  };
  const ScriptedPerson ann(script);
  const auto result = ann.run({"send", "bob", "hi", "--timeout", "4"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("outcome unknown"));
  ASSERT_THAT(ids, Not(IsEmpty()));
  EXPECT_THAT(ids, Each(ids.front()));
  EXPECT_THAT(result.err, HasSubstr("--request-id " + ids.front()));
  const auto in_json = ann.run({"send", "bob", "hi", "--timeout", "4", "--json"});
  EXPECT_EQ(in_json.exit_code, 4);
  EXPECT_THAT(in_json.err, HasSubstr("\"outcome\":\"OUTCOME_UNKNOWN\""));
  EXPECT_THAT(in_json.err, HasSubstr("\"requestId\":\"" + ids.back() + "\""));
  const std::string first = ids.front();
  ids.clear();
  healed = true;
  EXPECT_EQ(ann.run({"send", "bob", "hi", "--request-id", first}).exit_code, 0);
  EXPECT_THAT(ids, ElementsAre(first));
}

TEST(Cli, FailsOverToALivingServer) {
  Script script;
  script.send_message = [](grpc::ServerContext&, const v1::SendMessageRequest&, v1::SendMessageResponse&) {
    return grpc::Status::OK;
  };
  ScriptedPerson ann(script);
  ann.cli().set_servers(to_string(dead_address()) + "," + to_string(dead_address()) + "," +
                        ann.cli().servers());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ann.run({"send", "bob", "hi"}).exit_code, 0);
  }
}

// Pages of two of the numbers 1 to 5, either way round.
Script with_messages(const std::string& body) {
  Script script;
  script.list_messages = [body](grpc::ServerContext&, const v1::ListMessagesRequest& request,
                                v1::ListMessagesResponse& response) {
    const std::uint64_t begin = request.page_token().empty() ? 0 : std::stoull(request.page_token());
    for (std::uint64_t at = begin; at < std::min<std::uint64_t>(begin + 2, 5); ++at) {
      v1::Message& message = *response.add_messages();
      message.set_id(request.newest_first() ? 5 - at : at + 1);
      message.set_sender("bob");
      message.set_recipient("ann");
      message.set_body(body);
    }
    if (begin + 2 < 5) {
      response.set_next_page_token(std::to_string(begin + 2));
    }
    response.mutable_as_of()->set_position(12);
    response.mutable_as_of()->set_age_ms(340);
    return grpc::Status::OK;
  };
  return script;
}

TEST(Cli, ListsGoThroughAllPages) {
  const ScriptedPerson ann(with_messages("hi"));
  const auto all = lines_of(ann.run({"inbox"}).out);
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_EQ(all[0], "[1] 1970-01-01 00:00:00 bob -> ann (unread): hi");
  EXPECT_THAT(lines_of(ann.run({"history", "bob", "--limit", "2"}).out),
              ElementsAre(StartsWith("[4]"), StartsWith("[5]")));
  EXPECT_THAT(lines_of(ann.run({"inbox", "--limit", "2", "--newest-first"}).out),
              ElementsAre(StartsWith("[5]"), StartsWith("[4]")));
  EXPECT_THAT(ann.run({"inbox", "--stale"}).err, HasSubstr("340 ms old"));
  EXPECT_EQ(lines_of(ann.run({"inbox", "--stale", "--json"}).err),
            std::vector<std::string>{R"({"asOf":{"position":"12","clusterId":"","ageMs":340}})"});
}

TEST(Cli, AStaleListOfAccountsSaysHowOldItIs) {
  Script script;
  script.list_accounts = [](grpc::ServerContext&, const v1::ListAccountsRequest& request,
                            v1::ListAccountsResponse& response) {
    EXPECT_TRUE(request.stale());
    response.add_accounts()->set_name("bob");
    response.mutable_as_of()->set_age_ms(340);
    return grpc::Status::OK;
  };
  const ScriptedPerson ann(script);
  const auto result = ann.run({"users", "--stale"});
  EXPECT_EQ(result.out, "bob\n");
  EXPECT_THAT(result.err, HasSubstr("340 ms old"));
}

TEST(Cli, JsonIsTheApisMessageOneALine) {
  const ScriptedPerson ann(with_messages("hi"));
  const auto all = lines_of(ann.run({"inbox", "--json"}).out);
  ASSERT_THAT(all, SizeIs(5));
  v1::Message message;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(all[4], &message).ok()) << all[4];
  EXPECT_EQ(message.id(), 5U);
  EXPECT_THAT(all[4], HasSubstr("\"read\":false"));
  EXPECT_THAT(all[4], HasSubstr("\"conversationId\":\"0\""));
}

TEST(Cli, ControlSequencesNeverReachTheTerminal) {
  const ScriptedPerson ann(
      with_messages("\x1b[2J\xc2\x9b"
                    "2J\xe2\x80\xae\nforged"));
  const auto result = ann.run({"inbox", "--limit", "1"});
  EXPECT_THAT(result.out, HasSubstr("\\x1b[2J\\x9b2J\\u{202e}\n        forged"));
  for (const char* const bad : {"\x1b", "\xc2\x9b", "\xe2\x80\xae"}) {
    EXPECT_THAT(result.out, Not(HasSubstr(bad)));
    EXPECT_THAT(ann.run({"inbox", "--json"}).out, Not(HasSubstr(bad)));
  }
}

TEST(Cli, ErrorsInJsonStandOnStderr) {
  Script script;
  script.mark_read = [](grpc::ServerContext&, const v1::MarkReadRequest&, v1::MarkReadResponse&) {
    return refused_status(grpc::StatusCode::NOT_FOUND, "no such messages", 9);
  };
  const ScriptedPerson ann(script);
  const auto result = ann.run({"read", "12", "--json"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, StartsWith(R"({"code":"NOT_FOUND","message":"no such messages","details":[{)"));
  EXPECT_THAT(result.err, HasSubstr(R"("position":"9")"));
}

TEST(Cli, LogOutForgetsTheToken) {
  Script script;
  script.log_out = [](grpc::ServerContext&, const v1::LogOutRequest&, v1::LogOutResponse&) {
    return grpc::Status::OK;
  };
  const ScriptedPerson ann(script);
  EXPECT_EQ(ann.run({"logout"}).exit_code, 0);
  EXPECT_EQ(ann.run({"logout"}).exit_code, 1);
}

TEST(Cli, WatchPrintsEventsUntilItIsInterrupted) {
  Script script;
  script.watch = [](grpc::ServerContext& context, const v1::WatchRequest&,
                    grpc::ServerWriter<v1::WatchResponse>& writer) {
    v1::WatchResponse response;
    response.set_position(3);
    response.mutable_heartbeat();
    writer.Write(response);
    response.set_position(4);
    response.mutable_message()->set_id(4);
    response.mutable_message()->set_body("good morning");
    writer.Write(response);
    EXPECT_TRUE(wait_until([&] { return context.IsCancelled(); }));
    return grpc::Status::CANCELLED;
  };
  ScriptedPerson ann(script);
  const auto result = ann.cli().run_until({"watch"}, "good morning", SIGINT);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(lines_of(result.out), SizeIs(1));
  EXPECT_THAT(lines_of(ann.run({"watch", "--json", "--count", "1"}).out), SizeIs(2)) << "heartbeats too";
}

}  // namespace
}  // namespace parley::testing
