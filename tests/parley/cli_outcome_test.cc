// What the program says of a write whose reply was lost: that it is unknown and asked again, while that
// happens, and in the end what became of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/json.h"
#include "tests/parley/scripted_person.h"
#include "tests/parley/tmux.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kAskingAgain = "outcome unknown, asking again";

enum class End : std::uint8_t { done, refused_in_the_log, never_told };

// The first attempt is done and its reply lost. The second, once the test has seen what its user was told, is
// refused for overload, which says nothing of the first. Then the end.
class LostReply {
 public:
  explicit LostReply(End end) : end_(end) {}

  grpc::Status answer(const std::string& request_id) {
    const std::size_t attempt = note(request_id);
    if (attempt == 1) {
      return {grpc::StatusCode::UNAVAILABLE, "the reply was lost"};
    }
    EXPECT_TRUE(wait_until([this] { return told_.load(); })) << "its user was not told";
    if (attempt == 2 || end_ == End::never_told) {
      return refused_status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much to do");
    }
    return end_ == End::done ? grpc::Status::OK
                             : refused_status(grpc::StatusCode::NOT_FOUND, "there is no such thing", 9);
  }
  // Its user was told that it is asked again.
  void look(const std::string& err, const std::string& wanted) {
    if (err.contains(wanted)) {
      told_ = true;
    }
  }
  [[nodiscard]] std::vector<std::string> ids() const {
    const std::scoped_lock lock(mutex_);
    return ids_;
  }

 private:
  std::size_t note(const std::string& request_id) {
    const std::scoped_lock lock(mutex_);
    ids_.push_back(request_id);
    return ids_.size();
  }
  const End end_;
  std::atomic<bool> told_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;
};

template <class Request, class Response>
Handler<Request, Response> loses(LostReply& reply) {
  return [&reply](grpc::ServerContext&, const Request& request, Response&) {
    return reply.answer(request.request_id());
  };
}

Script script_that_loses(LostReply& reply) {
  Script script;
  script.create_account = loses<v1::CreateAccountRequest, v1::CreateAccountResponse>(reply);
  script.log_out = loses<v1::LogOutRequest, v1::LogOutResponse>(reply);
  script.change_password = loses<v1::ChangePasswordRequest, v1::ChangePasswordResponse>(reply);
  script.delete_account = loses<v1::DeleteAccountRequest, v1::DeleteAccountResponse>(reply);
  script.send_message = loses<v1::SendMessageRequest, v1::SendMessageResponse>(reply);
  script.mark_read = loses<v1::MarkReadRequest, v1::MarkReadResponse>(reply);
  script.delete_messages = loses<v1::DeleteMessagesRequest, v1::DeleteMessagesResponse>(reply);
  return script;
}

struct Write {
  std::vector<std::string> arguments;
  std::string input;
};

// Every command that changes something; `login` has no request_id, and a case of its own.
std::vector<Write> all_writes() {
  return {{{"register", "bob", "--password-stdin"}, "correct horse\n"},
          {{"passwd", "--password-stdin"}, "correct horse\nbattery staple\n"},
          {{"delete-account", "--password-stdin"}, "correct horse\n"},
          {{"send", "bob", "once"}, ""},
          {{"read", "12"}, ""},
          {{"delete", "12"}, ""},
          {{"logout"}, ""}};
}

std::size_t times_in(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) {
    ++found;
  }
  return found;
}

CliResult run_write(const Write& write, LostReply& reply, const std::string& timeout_s,
                    const std::vector<std::string>& more = {}) {
  ScriptedPerson ann(script_that_loses(reply));
  std::vector<std::string> arguments = {"--timeout", timeout_s};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.insert(arguments.end(), write.arguments.begin(), write.arguments.end());
  const std::string wanted = more.empty() ? kAskingAgain : R"({"retry":{)";
  return ann.cli().run_watched(arguments, write.input,
                               [&](const std::string& err) { reply.look(err, wanted); });
}

TEST(CliOutcome, J22_AskedAgainAndDoneIsToldAsDone) {
  for (const Write& write : all_writes()) {
    SCOPED_TRACE(write.arguments.front());
    LostReply reply(End::done);
    const auto result = run_write(write, reply, "60");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, Not(IsEmpty()));
    EXPECT_EQ(times_in(result.err, kAskingAgain), 1U) << result.err;
    EXPECT_THAT(lines_of(result.err), SizeIs(1)) << "nothing else was wrong in the end";
    EXPECT_THAT(result.err, AllOf(HasSubstr("the reply was lost"), Not(HasSubstr("failed"))));
    EXPECT_THAT(reply.ids(), AllOf(SizeIs(3), Each(reply.ids().front())));
  }
}

TEST(CliOutcome, J22_AskedAgainAndRefusedInTheLogIsToldAsRefused) {
  for (const Write& write : all_writes()) {
    SCOPED_TRACE(write.arguments.front());
    LostReply reply(End::refused_in_the_log);
    const auto result = run_write(write, reply, "60");
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    const auto told = lines_of(result.err);
    ASSERT_THAT(told, SizeIs(2)) << result.err;
    EXPECT_THAT(told[0], HasSubstr(kAskingAgain));
    EXPECT_EQ(told[1], "parley: there is no such thing");
    EXPECT_THAT(reply.ids(), AllOf(SizeIs(3), Each(reply.ids().front())));
  }
}

// A refusal for overload says nothing of the first attempt: it is never told as the end.
TEST(CliOutcome, J22_RefusedForOverloadUntilTheTimeIsOverIsUnknownNeverFailed) {
  const std::vector<Write> writes = all_writes();
  for (const Write& write : {writes.front(), writes[3], writes.back()}) {
    SCOPED_TRACE(write.arguments.front());
    LostReply reply(End::never_told);
    const auto result = run_write(write, reply, "6");
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    const auto told = lines_of(result.err);
    ASSERT_THAT(told, SizeIs(3)) << result.err;
    EXPECT_THAT(told[0], HasSubstr(kAskingAgain));
    EXPECT_THAT(told[1], HasSubstr("outcome unknown: it may have happened, or may still happen"));
    ASSERT_THAT(reply.ids(), AllOf(Not(IsEmpty()), Each(reply.ids().front())));
    EXPECT_THAT(told[2], HasSubstr("--request-id " + reply.ids().front()));
    EXPECT_THAT(result.err, AllOf(Not(HasSubstr("failed")), Not(HasSubstr("refused"))));
  }
}

// What the last line says to do can be done, by every command that says it.
TEST(CliOutcome, J22_EveryWriteTakesTheRequestIdThatItTold) {
  const std::string id = "01890a5d-ac96-774c-bcce-b302099a8057";
  for (Write write : all_writes()) {
    SCOPED_TRACE(write.arguments.front());
    LostReply reply(End::done);
    write.arguments.insert(write.arguments.end(), {"--request-id", id});
    EXPECT_EQ(run_write(write, reply, "60").exit_code, 0);
    EXPECT_THAT(reply.ids(), AllOf(SizeIs(3), Each(id)));
  }
}

TEST(CliOutcome, J22_InJsonEachOfItIsOneObject) {
  LostReply done(End::done);
  const Write send{{"send", "bob", "once"}, ""};
  auto result = run_write(send, done, "60", {"--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(is_json_object(result.out)) << result.out;
  auto told = lines_of(result.err);
  ASSERT_THAT(told, SizeIs(1)) << result.err;
  EXPECT_TRUE(is_json_object(told[0])) << told[0];
  EXPECT_THAT(told[0], AllOf(HasSubstr(R"("retry":{"server":)"), HasSubstr("OUTCOME_UNKNOWN")));

  LostReply never_told(End::never_told);
  result = run_write(send, never_told, "6", {"--json"});
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.out, IsEmpty());
  told = lines_of(result.err);
  ASSERT_THAT(told, SizeIs(2)) << result.err;
  EXPECT_TRUE(is_json_object(told[0])) << told[0];
  EXPECT_TRUE(is_json_object(told[1])) << told[1];
  ASSERT_THAT(never_told.ids(), Not(IsEmpty()));
  EXPECT_THAT(told[1], AllOf(HasSubstr("OUTCOME_UNKNOWN"), Not(HasSubstr("OUTCOME_REFUSED")),
                             HasSubstr("\"requestId\":\"" + never_told.ids().front() + "\"")));
}

TEST(CliOutcome, J22_ALogInIsAskedAgainTooAndSaysThatThisDoesNoHarm) {
  std::atomic<int> attempts = 0;
  std::atomic<bool> is_lost_for_good = false;
  Script script;
  script.log_in = [&](grpc::ServerContext&, const v1::LogInRequest&, v1::LogInResponse& response) {
    response.set_token("t");
    return is_lost_for_good || ++attempts == 1
               ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the reply was lost")
               : grpc::Status::OK;
  };
  const ScriptedServer server(script);
  const CliRunner cli(to_string(server.address()));
  auto result = cli.run({"login", "ann", "--password-stdin", "--timeout", "60"}, "correct horse\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(times_in(result.err, kAskingAgain), 1U) << result.err;
  is_lost_for_good = true;
  result = cli.run({"login", "ann", "--password-stdin", "--timeout", "5"}, "correct horse\n");
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the same command again does no harm"));
}

// On a terminal the line of progress gives way to what is told, and is gone in the end.
TEST(CliOutcome, TheLineOfProgressLeavesNothingBehind) {
  std::atomic<bool> go_on = false;
  Script script;
  script.send_message = [&](grpc::ServerContext&, const v1::SendMessageRequest&,
                            v1::SendMessageResponse& response) {
    EXPECT_TRUE(wait_until([&] { return go_on.load(); }));
    response.mutable_message()->set_id(77);
    response.mutable_message()->set_recipient("bob");
    return grpc::Status::OK;
  };
  ScriptedPerson ann(script);
  // The first line is lost when tmux writes below that the pane is dead.
  const Tmux terminal(fmt::format("echo; XDG_CONFIG_HOME={} {} send bob hello; echo left with $?",
                                  ann.cli().config_home().string(), program("parley").string()),
                      100, 24);
  EXPECT_TRUE(terminal.wait_for("sending ... ")) << terminal.screen();
  go_on = true;
  ASSERT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
  EXPECT_THAT("\n" + terminal.screen(), AllOf(HasSubstr("\nsent [77] to bob\n"), Not(HasSubstr("sending"))));
}

}  // namespace
}  // namespace parley::testing
