// --json: whatever a command has to say, it says in JSON, for success and for every kind of error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/json.h"
#include "tests/parley/scripted_person.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Command {
  std::vector<std::string> arguments;  // after its name
  std::string input;
  bool needs_login = true;
  bool has_result = true;  // without more than a scripted server
  bool calls_a_node = true;
};

// By name. Missing: `open` and `demo` print JSON where there are nodes, `chat` never does.
std::map<std::string, Command> all_commands() {
  const std::string password = "correct horse\n";
  return {
      {"register", {{"bob", "--password-stdin"}, password, false}},
      {"login", {{"ann", "--password-stdin"}, password, false}},
      {"logout", {}},
      {"passwd", {{"--password-stdin"}, password + "battery staple\n"}},
      {"delete-account", {{"--password-stdin"}, password}},
      {"users", {}},
      {"send", {{"bob", "hello"}, ""}},
      {"inbox", {}},
      {"history", {{"bob"}, ""}},
      {"read", {{"12"}, ""}},
      {"delete", {{"12"}, ""}},
      {"unread", {}},
      {"watch", {{"--count", "1"}, ""}},
      {"chat", {{"bob"}, "", true, false, false}},
      {"cluster", {{"status"}, ""}},
      {"open", {{"--print", "--http", "127.0.0.1:1"}, "", false, false, false}},
      {"demo", {{"--pause", "nan"}, "", false, false, false}},
  };
}

// What stands under "Subcommands:" of the help, by name.
std::set<std::string> commands_of_help() {
  std::set<std::string> names;
  bool inside = false;
  for (const std::string& line : lines_of(CliRunner("").run({"--help"}).out)) {
    if (line == "Subcommands:") {
      inside = true;
    } else if (!line.starts_with("  ")) {
      inside = false;
    } else if (inside && line[2] != ' ') {
      names.insert(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

std::vector<std::string> in_json(const std::string& name, const Command& command) {
  std::vector<std::string> arguments = {name};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  arguments.emplace_back("--json");  // before or after: another test has it in front
  return arguments;
}

template <class Request, class Response>
Handler<Request, Response> answers() {
  return [](grpc::ServerContext&, const Request&, Response& response) {
    if constexpr (requires { response.add_messages(); }) {
      response.add_messages()->set_body("one\ntwo \xe2\x80\xae\x1b[2J");
      response.add_messages()->set_body("\"");
    } else if constexpr (requires { response.add_accounts(); }) {
      response.add_accounts()->set_name("bob");
      response.add_accounts()->set_name("carl");
    }
    return grpc::Status::OK;
  };
}

Script script_that_answers() {
  Script script;
  script.create_account = [](grpc::ServerContext&, const v1::CreateAccountRequest&,
                             v1::CreateAccountResponse& response) {
    response.mutable_account()->set_name("bob");
    response.set_token(kScriptedToken);
    return grpc::Status::OK;
  };
  script.log_out = answers<v1::LogOutRequest, v1::LogOutResponse>();
  script.change_password = answers<v1::ChangePasswordRequest, v1::ChangePasswordResponse>();
  script.delete_account = answers<v1::DeleteAccountRequest, v1::DeleteAccountResponse>();
  script.list_accounts = answers<v1::ListAccountsRequest, v1::ListAccountsResponse>();
  script.send_message = answers<v1::SendMessageRequest, v1::SendMessageResponse>();
  script.list_messages = answers<v1::ListMessagesRequest, v1::ListMessagesResponse>();
  script.mark_read = answers<v1::MarkReadRequest, v1::MarkReadResponse>();
  script.delete_messages = answers<v1::DeleteMessagesRequest, v1::DeleteMessagesResponse>();
  script.get_unread_counts = answers<v1::GetUnreadCountsRequest, v1::GetUnreadCountsResponse>();
  script.get_status = answers<v1::GetStatusRequest, v1::GetStatusResponse>();
  script.watch = [](grpc::ServerContext&, const v1::WatchRequest&,
                    grpc::ServerWriter<v1::WatchResponse>& writer) {
    v1::WatchResponse response;
    response.set_position(3);
    response.mutable_heartbeat();
    writer.Write(response);
    response.set_position(4);
    response.mutable_message()->set_body("good\nmorning");
    writer.Write(response);
    return grpc::Status::OK;
  };
  return script;
}

// Nothing on stdout; on stderr objects, of which the last is the error.
void expect_error_in_json(const CliResult& result, int exit_code, const std::string& code) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_THAT(result.out, IsEmpty());
  ASSERT_TRUE(are_json_objects(result.err)) << result.err;
  EXPECT_THAT(lines_of(result.err).back(), AllOf(HasSubstr("{\"code\":\"" + code + "\",\"message\":\""),
                                                 HasSubstr("\"details\":[{\"reason\":\"")));
}

TEST(CliJson, EveryCommandOfTheHelpIsLookedAtHere) {
  std::set<std::string> here;
  for (const auto& [name, command] : all_commands()) {
    here.insert(name);
  }
  EXPECT_EQ(commands_of_help(), here);
}

TEST(CliJson, EveryCommandsResultIsOneObjectAndAListsOneALine) {
  const std::map<std::string, std::size_t> lists = {{"users", 2}, {"inbox", 2}, {"history", 2}, {"watch", 2}};
  for (const auto& [name, command] : all_commands()) {
    if (!command.has_result) {
      continue;
    }
    SCOPED_TRACE(name);
    const ScriptedPerson ann(script_that_answers());
    const auto result = ann.run(in_json(name, command), command.input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(are_json_objects(result.out)) << result.out;
    EXPECT_EQ(lines_of(result.out).size(), lists.contains(name) ? lists.at(name) : 1U) << result.out;
    EXPECT_TRUE(result.err.empty() || are_json_objects(result.err)) << result.err;
  }
}

TEST(CliJson, WhatANodeRefusesIsOneObject) {
  for (const auto& [name, command] : all_commands()) {
    if (!command.calls_a_node) {
      continue;
    }
    SCOPED_TRACE(name);
    Script script;
    const auto refuse = [](grpc::ServerContext&, const auto&, auto&) {
      return refused_status(grpc::StatusCode::NOT_FOUND, "there is no \"such\"\nthing", 9);
    };
    script.create_account = refuse;
    script.log_out = refuse;
    script.change_password = refuse;
    script.delete_account = refuse;
    script.list_accounts = refuse;
    script.send_message = refuse;
    script.list_messages = refuse;
    script.mark_read = refuse;
    script.delete_messages = refuse;
    script.get_unread_counts = refuse;
    script.get_status = refuse;
    script.watch = refuse;
    const ScriptedPerson ann(script);
    const bool is_log_in = name == "login";
    const auto result = ann.run(in_json(name, command), is_log_in ? "wrong horse\n" : command.input);
    expect_error_in_json(result, 1, is_log_in ? "UNAUTHENTICATED" : "NOT_FOUND");
  }
}

TEST(CliJson, WhereNobodyIsLoggedInOrNobodyAnswersThatIsOneObject) {
  for (const auto& [name, command] : all_commands()) {
    SCOPED_TRACE(name);
    const CliRunner stranger("127.0.0.1:1");
    const auto result = stranger.run(in_json(name, command), command.input);
    if (command.calls_a_node) {
      expect_error_in_json(result, command.needs_login ? 1 : 3,
                           command.needs_login ? "UNAUTHENTICATED" : "UNAVAILABLE");
    } else {
      const bool is_open = name == "open";
      expect_error_in_json(result, is_open ? 3 : 2, is_open ? "UNAVAILABLE" : "INVALID_ARGUMENT");
    }
  }
}

// Also what is wrong before a command is known at all, wherever --json stands.
TEST(CliJson, AWrongCommandLineIsOneObject) {
  for (const auto& [name, command] : all_commands()) {
    SCOPED_TRACE(name);
    expect_error_in_json(CliRunner("").run({name, "--no-such-option", "--json"}), 2, "INVALID_ARGUMENT");
  }
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--json"},
        {"--json", "nosuch"},
        {"nosuch", "--json"},
        {"--json", "cluster"},
        {"--json", "no\xffsuch\n"},
        {"--json", "inbox", "--limit", "many"},
        {"inbox", "--limit", "--json"},
        {"--json", "--servers", "http://localhost:7700", "inbox"},
        {"--json", "--profile", "../x", "inbox"},
        {"--json", "login", "ann"},                       // there is no terminal to ask on
        {"--json", "login", "ann", "--password-stdin"}})  // and nothing on stdin
  {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    expect_error_in_json(CliRunner("").run(arguments), 2, "INVALID_ARGUMENT");
  }
  const auto text = CliRunner("").run({"nosuch", "--", "--json"});
  EXPECT_THAT(text.err, HasSubstr("parley: ")) << "after -- it is no option";
}

TEST(CliJson, ADamagedProfileIsOneObject) {
  const ScriptedPerson ann({});
  std::ofstream(ann.profile()) << "servers = [\n";
  const auto result = ann.run({"--json", "inbox"});
  expect_error_in_json(result, 1, "FAILED_PRECONDITION");
  EXPECT_THAT(result.err, HasSubstr("default.toml: line "));
}

TEST(CliJson, WhatIsNoTextIsNoLessJson) {
  Script script;
  script.list_messages = [](grpc::ServerContext&, const v1::ListMessagesRequest&, v1::ListMessagesResponse&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no \xff\x1b[2J");
  };
  const ScriptedPerson ann(script);
  expect_error_in_json(ann.run({"--json", "inbox"}), 1, "NOT_FOUND");
  EXPECT_THAT(ann.run({"inbox"}).err, HasSubstr("parley: there is no \\xff\\x1b[2J"));
}

TEST(CliJson, AListsAgeAndAWatchsNoticesAreObjectsToo) {
  const ScriptedPerson ann(script_that_answers());
  const auto stale = ann.run({"inbox", "--stale", "--json"});
  EXPECT_TRUE(are_json_objects(stale.err)) << stale.err;
  EXPECT_THAT(stale.err, HasSubstr("{\"asOf\":{"));
  const auto watch = ann.run({"watch", "--count", "1", "--json"});
  EXPECT_TRUE(are_json_objects(watch.err)) << watch.err;
  EXPECT_THAT(watch.err, HasSubstr("{\"watching\":{"));
  const auto people = ann.run({"watch", "--count", "1"});
  EXPECT_THAT(people.err, AllOf(HasSubstr("parley: watching at "), Not(HasSubstr("{"))));
}

}  // namespace
}  // namespace parley::testing
