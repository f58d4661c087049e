// What is refused before any node is asked, and what the program makes of what only nodes can refuse: a
// message that names the limit, the exit code, nothing sent, nothing on the terminal but that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/scripted_person.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kGoodPassword = "correct horse\n";

// Counts what reaches it, of every kind that the cases below could send.
class CountingServer {
 public:
  [[nodiscard]] Script script() {
    Script script;
    const auto count = [this](grpc::ServerContext&, const auto&, auto&) {
      ++calls_;
      return grpc::Status::OK;
    };
    script.create_account = count;
    script.change_password = count;
    script.delete_account = count;
    script.get_account = count;
    script.list_accounts = count;
    script.send_message = count;
    script.list_messages = count;
    script.mark_read = count;
    script.delete_messages = count;
    return script;
  }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  std::atomic<int> calls_ = 0;
};

struct BadInput {
  std::vector<std::string> arguments;
  std::string input;
  std::string names;  // what the message has to name
  int exit_code = 1;
};

void expect_all_refused(const std::vector<BadInput>& cases) {
  CountingServer server;
  const ScriptedPerson ann(server.script());
  for (const BadInput& bad : cases) {
    SCOPED_TRACE(::testing::PrintToString(bad.arguments));
    const auto result = ann.run(bad.arguments, bad.input);
    EXPECT_EQ(result.exit_code, bad.exit_code) << result.out << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(HasSubstr("parley: "), HasSubstr(bad.names), Not(HasSubstr("protobuf")),
                                  Not(HasSubstr("\xff"))));
    EXPECT_THAT(lines_of(result.err), SizeIs(bad.exit_code == 2 ? 2 : 1)) << result.err;
  }
  EXPECT_EQ(server.calls(), 0) << "nothing was sent";
  EXPECT_EQ(ann.run({"read", "1"}).exit_code, 0) << "the session is still there";
  EXPECT_EQ(server.calls(), 1) << "what is well is sent";
}

TEST(CliInput, WhatIsNoUtf8IsRefusedByTheLimitOfItsField) {
  const std::string name = "1 to 32 of a-z 0-9 . _ -";
  const std::string password = "8 to 128 bytes";
  expect_all_refused({
      {{"register", "b\xff", "--password-stdin"}, kGoodPassword, name},
      {{"register", "\xc0\xaf", "--password-stdin"}, kGoodPassword, name},
      {{"register", "bob", "--password-stdin"}, "correct \xff horse\n", password},
      {{"login", "b\xff", "--password-stdin"}, kGoodPassword, name},
      {{"login", "bob", "--password-stdin"}, "correct \xff horse\n", password},
      {{"passwd", "--password-stdin"}, "correct horse\nbattery \xff\n", password},
      {{"passwd", "--password-stdin"}, "correct \xff\nbattery staple\n", password},
      {{"delete-account", "--password-stdin"}, "correct \xff\n", password},
      {{"send", "b\xff", "hello"}, "", name},
      {{"send", "bob", "hello \xff"}, "", "1 to 16384 bytes"},
      {{"send", "bob", "-"}, "half a letter: \xc3", "1 to 16384 bytes"},
      {{"history", "b\xff"}, "", name},
      {{"users", "b\xff*"}, "", "64 characters"},
  });
}

TEST(CliInput, PasswordsThatNobodyCanHave) {
  const std::string limit = "8 to 128 bytes";
  const std::string too_long(1'000'000, 'p');
  expect_all_refused({
      {{"register", "bob", "--password-stdin"}, "\n", limit},
      {{"login", "bob", "--password-stdin"}, "\n", limit},
      {{"passwd", "--password-stdin"}, "\nbattery staple\n", limit},
      {{"passwd", "--password-stdin"}, "correct horse\n\n", limit},
      {{"delete-account", "--password-stdin"}, "\n", limit},
      {{"register", "bob", "--password-stdin"}, std::string(129, 'p') + "\n", limit},
      {{"login", "bob", "--password-stdin"}, too_long, limit},
  });
}

TEST(CliInput, BodiesThatAreTooLong) {
  std::string umlauts;
  while (umlauts.size() < 40'000) {
    umlauts += "\u00fc";
  }
  // Cut off in the middle of a character, it is still too long, and not said to be no text.
  expect_all_refused({
      {{"send", "bob", "-"}, umlauts, "a message has 1 to 16384 bytes"},
      {{"send", "bob", "-"}, "a" + umlauts, "a message has 1 to 16384 bytes"},
      {{"send", "bob", umlauts}, "", "a message has 1 to 16384 bytes"},
  });
}

TEST(CliInput, NumbersAreWhatTheyLookLike) {
  const std::string ids = "no whole number from 1 to 9223372036854775807";
  expect_all_refused({
      {{"read", "x"}, "", ids, 2},
      {{"read", "010"}, "", ids, 2},
      {{"read", "0x10"}, "", ids, 2},
      {{"read", "0"}, "", ids, 2},
      {{"read", "1", "9223372036854775808"}, "", ids, 2},
      {{"delete", "99999999999999999999999"}, "", ids, 2},
      {{"inbox", "--limit", "-1"}, "", ids, 2},
      {{"inbox", "--limit", "0"}, "", ids, 2},
      {{"users", "--limit", "1.5"}, "", ids, 2},
      {{"watch", "--after", "-1"}, "", "no whole number from 0 to", 2},
      {{"watch", "--count", "0"}, "", ids, 2},
      {{"send", "bob", "hello", "--recipient-id", "0"}, "", ids, 2},
      {{"--timeout", "nan", "inbox"}, "", "no number from 0.001 to 86400", 2},
      {{"--timeout", "inf", "inbox"}, "", "no number from 0.001 to 86400", 2},
      {{"--timeout", "0,5", "inbox"}, "", "no number from 0.001 to 86400", 2},
      {{"demo", "--rate", "nan"}, "", "no number from 1 to 2000", 2},
      {{"inbox", "--limit"}, "", "--limit needs a value", 2},
      {{"inbox", "--limit", "1", "--limit", "2"}, "", "--limit is given more than once", 2},
  });
}

TEST(CliInput, AddressesOfEveryOptionThatTakesOne) {
  expect_all_refused({
      {{"--servers", "http://127.0.0.1:7700", "inbox"}, "", "leave \"http://\" out and write", 2},
      {{"--servers", "127.0.0.1:7700,grpc://127.0.0.1:7710", "inbox"}, "", "leave \"grpc://\" out", 2},
      {{"open", "--http", "https://127.0.0.1:8080/"}, "", "write \"127.0.0.1:8080\"", 2},
      {{"--servers", "127.0.0.1:7700\xff", "inbox"}, "", "a number from 1 to 65535", 2},
      {{"--servers", "127.0.0.1:0", "inbox"}, "", "a number from 1 to 65535", 2},
      {{"--servers", "127.0.0.1", "inbox"}, "", "HOST:PORT", 2},
  });
}

// What looks like an option or a command is still text where a text is expected.
TEST(CliInput, AnOptionTakesOneWordAndATextTakesTheRest) {
  std::string body;
  Script script;
  script.send_message = [&body](grpc::ServerContext&, const v1::SendMessageRequest& request,
                                v1::SendMessageResponse&) {
    body = request.body();
    return grpc::Status::OK;
  };
  ScriptedPerson ann(script);
  const std::string servers = ann.cli().servers();
  EXPECT_EQ(ann.run({"send", "bob", "read", "inbox", "-5"}).exit_code, 0);
  EXPECT_EQ(body, "read inbox -5");
  ann.cli().set_servers("");
  const auto result = ann.run({"send", "--servers", servers, "bob", "hi"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(body, "hi");
}

// A token that no header can carry would end the program in the library below it.
TEST(CliInput, ATokenThatIsNoneIsToldAndALogInMendsIt) {
  const std::vector<std::string> tokens = {R"(a\nb)", R"(a\u0007b)", "\u00fcber", "with a space",
                                           std::string(20'000, 'x')};
  for (const std::string& token : tokens) {
    SCOPED_TRACE(token.substr(0, 20));
    CountingServer server;
    const ScriptedPerson ann(server.script());
    std::ofstream(ann.profile()) << "account = \"ann\"\naccount_id = 41\ntoken = \"" << token << "\"\n";
    const auto result = ann.run({"send", "bob", "hi"});
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err,
                AllOf(HasSubstr("default.toml: the token is none"), HasSubstr("parley login NAME")));
    EXPECT_THAT(lines_of(result.err), SizeIs(1)) << result.err;
    EXPECT_EQ(server.calls(), 0);
    EXPECT_EQ(ann.run({"login", "ann", "--password-stdin"}, kGoodPassword).exit_code, 0);
    EXPECT_EQ(ann.run({"send", "bob", "hi"}).exit_code, 0);
  }
}

// protobuf has a word to say on what it cannot parse: not on this terminal.
TEST(CliInput, WhatALibrarySaysNeverReachesTheTerminal) {
  Script script;
  script.list_messages = [](grpc::ServerContext&, const v1::ListMessagesRequest&,
                            v1::ListMessagesResponse& response) {
    response.add_messages()->set_body("no text \xff");
    return grpc::Status::OK;
  };
  const ScriptedPerson ann(script);
  const auto result = ann.run({"inbox", "--timeout", "2"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(lines_of(result.err), SizeIs(1)) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("parley: "), Not(HasSubstr("libprotobuf"))));
}

}  // namespace
}  // namespace parley::testing
