// Ctrl-C while a node has not answered: what is known of a write is told, and a read just ends. And output
// that nobody can take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <regex>
#include <string>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/json.h"
#include "tests/parley/scripted_person.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Requests that come are kept without an answer until whoever sent them gives up.
class Silent {
 public:
  grpc::Status keep(grpc::ServerContext& context) {
    has_come_ = true;
    EXPECT_TRUE(wait_until([&] { return context.IsCancelled(); })) << "it was not given up";
    return grpc::Status::CANCELLED;
  }
  [[nodiscard]] bool has_come() const { return has_come_; }

 private:
  std::atomic<bool> has_come_ = false;
};

Script silent_script(Silent& silent, std::string& request_id) {
  Script script;
  script.send_message = [&](grpc::ServerContext& context, const v1::SendMessageRequest& request,
                            v1::SendMessageResponse&) {
    request_id = request.request_id();
    return silent.keep(context);
  };
  script.list_messages = [&](grpc::ServerContext& context, const v1::ListMessagesRequest&,
                             v1::ListMessagesResponse&) { return silent.keep(context); };
  return script;
}

class CliInterruption : public ::testing::Test {
 protected:
  [[nodiscard]] CliResult interrupt(const std::vector<std::string>& arguments, int signal) {
    return ann_.cli().run_signalled(arguments, signal, [this] { return silent_.has_come(); });
  }

  Silent silent_;
  std::string request_id_;
  ScriptedPerson ann_{silent_script(silent_, request_id_)};
};

TEST_F(CliInterruption, AWriteSaysThatItsOutcomeIsUnknownAndHowToAskAgain) {
  const auto result = interrupt({"send", "bob", "once", "--timeout", "100"}, SIGINT);
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.out, IsEmpty());
  ASSERT_THAT(request_id_, Not(IsEmpty()));
  EXPECT_THAT(result.err, AllOf(HasSubstr("outcome unknown"), HasSubstr("interrupted"),
                                HasSubstr("--request-id " + request_id_ + " asks again")));
}

TEST_F(CliInterruption, SoItDoesInJsonAndAtSigterm) {
  const auto result = interrupt({"send", "bob", "once", "--timeout", "100", "--json"}, SIGTERM);
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("OUTCOME_UNKNOWN"), HasSubstr("interrupted"),
                                HasSubstr(R"("requestId":")" + request_id_ + "\"")));
}

// A shell's loop ends with a command that died of Ctrl-C, and only with such a one.
TEST_F(CliInterruption, AReadDiesOfTheSignal) {
  const auto result = interrupt({"inbox", "--timeout", "100"}, SIGINT);
  EXPECT_EQ(result.signal, SIGINT) << result.exit_code << result.err;
  EXPECT_THAT(result.err, HasSubstr("interrupted"));
}

// As nohup does it, and a shell for what it starts in the background.
TEST_F(CliInterruption, ASignalThatIsIgnoredStaysSo) {
  ann_.cli().set_wrapper({"/bin/sh", "-c", R"(trap '' HUP; exec "$@")", "sh"});
  const auto result = interrupt({"inbox", "--timeout", "2"}, SIGHUP);
  EXPECT_EQ(result.signal, 0) << result.err;
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("interrupted")));
}

// A pager that is stopped takes nothing; nobody has to be told anything, and a single signal ends it.
TEST_F(CliInterruption, OutputThatNobodyTakesIsNoHindrance) {
  std::atomic<int> pages = 0;
  Script script;
  script.list_messages = [&](grpc::ServerContext&, const v1::ListMessagesRequest&,
                             v1::ListMessagesResponse& response) {
    for (int i = 0; i < 20; ++i) {
      response.add_messages()->set_body(std::string(16'000, 'x'));
    }
    response.set_next_page_token("more");
    ++pages;
    return grpc::Status::OK;
  };
  ScriptedPerson ben(script);
  ben.cli().set_wrapper(
      {"/bin/sh", "-c", R"(mkfifo "$XDG_CONFIG_HOME/f"; exec 3<>"$XDG_CONFIG_HOME/f"; exec "$@" >&3)", "sh"});
  const auto result = ben.cli().run_signalled({"inbox"}, SIGTERM, [&pages] { return pages.load() > 0; });
  EXPECT_EQ(result.signal, SIGTERM) << result.exit_code << result.err;
}

TEST(CliOutput, ThatCannotBeWrittenIsTold) {
  Script script;
  script.list_messages = [](grpc::ServerContext&, const v1::ListMessagesRequest&,
                            v1::ListMessagesResponse& response) {
    response.add_messages()->set_body("a note");
    return grpc::Status::OK;
  };
  script.send_message = [](grpc::ServerContext&, const v1::SendMessageRequest&,
                           v1::SendMessageResponse& response) {
    response.mutable_message()->set_id(12);
    return grpc::Status::OK;
  };
  ScriptedPerson ann(script);
  for (const std::string nowhere : {"/dev/full", "&-"}) {
    ann.cli().set_wrapper({"/bin/sh", "-c", R"("$@" >)" + nowhere, "sh"});
    const auto list = ann.run({"inbox"});
    EXPECT_EQ(list.exit_code, 2) << list.err;
    EXPECT_THAT(list.err, HasSubstr("standard output cannot be written"));
    const auto sent = ann.run({"send", "bob", "once"});
    EXPECT_EQ(sent.exit_code, 0) << "a script that sends again would send twice: " << sent.err;
    EXPECT_THAT(sent.err, HasSubstr("it is done, but standard output cannot be written"));
  }
}

}  // namespace
}  // namespace parley::testing
