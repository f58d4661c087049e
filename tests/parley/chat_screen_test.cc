// `parley chat` on a real terminal, against a scripted server: the line that is being typed stays as it is.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/tmux.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// Whatever would tell a person that a message was not sent.
::testing::Matcher<std::string> says_it_failed() {
  return ::testing::AnyOf(HasSubstr("NOT SENT"), HasSubstr("failed"), HasSubstr("refused"));
}

// Bob, who says what the test makes him say.
class Bob {
 public:
  [[nodiscard]] Script script() {
    Script script;
    script.log_in = [](grpc::ServerContext&, const v1::LogInRequest&, v1::LogInResponse& response) {
      response.mutable_account()->set_name("ann");
      response.mutable_account()->set_id(1);
      response.set_token("t");
      return grpc::Status::OK;
    };
    script.get_account = [](grpc::ServerContext&, const v1::GetAccountRequest&,
                            v1::GetAccountResponse& response) {
      response.mutable_account()->set_name("bob");
      response.mutable_account()->set_id(2);
      return grpc::Status::OK;
    };
    script.list_messages = [](grpc::ServerContext&, const v1::ListMessagesRequest&,
                              v1::ListMessagesResponse& response) {
      *response.add_messages() = message(5, 2, "from yesterday");
      return grpc::Status::OK;
    };
    script.mark_read = [this](grpc::ServerContext&, const v1::MarkReadRequest& request,
                              v1::MarkReadResponse&) {
      const std::scoped_lock lock(mutex_);
      read_.insert(read_.end(), request.message_ids().begin(), request.message_ids().end());
      return grpc::Status::OK;
    };
    script.send_message = [this](grpc::ServerContext&, const v1::SendMessageRequest& request,
                                 v1::SendMessageResponse& response) {
      if (request.recipient_id() != 2 || request.body() == "refuse me") {
        return refused_status(grpc::StatusCode::NOT_FOUND, "Recipient does not exist.", 9);
      }
      if (request.body().starts_with("lose ")) {
        if (grpc::Status lost = lose(request.request_id(), request.body()); !lost.ok()) {
          return lost;
        }
      }
      const std::scoped_lock lock(mutex_);
      sent_.push_back(request.body());
      *response.mutable_message() = message(100 + sent_.size(), 1, request.body());
      return grpc::Status::OK;
    };
    script.watch = [this](grpc::ServerContext& context, const v1::WatchRequest&,
                          grpc::ServerWriter<v1::WatchResponse>& writer) {
      v1::WatchResponse start;
      start.set_position(10);
      start.mutable_heartbeat();
      writer.Write(start);
      const bool ended = wait_until([&] {
        if (const auto said = take()) {
          v1::WatchResponse event;
          event.set_position(said->id());
          *event.mutable_message() = *said;
          writer.Write(event);
        }
        return context.IsCancelled();
      });
      EXPECT_TRUE(ended);
      return grpc::Status::CANCELLED;
    };
    return script;
  }

  void say(const std::string& body) {
    const std::scoped_lock lock(mutex_);
    said_ = message(++next_id_, 2, body);
  }
  [[nodiscard]] std::vector<std::string> sent() {
    const std::scoped_lock lock(mutex_);
    return sent_;
  }
  [[nodiscard]] std::vector<std::uint64_t> read() {
    const std::scoped_lock lock(mutex_);
    return read_;
  }
  // Of the attempts to send what is to be lost.
  [[nodiscard]] std::vector<std::string> request_ids() {
    const std::scoped_lock lock(mutex_);
    return request_ids_;
  }
  // The person has seen what was told after the first attempt.
  void go_on() { go_on_ = true; }

 private:
  // "lose late": the first attempt is refused for a moment. Then one is done and its reply lost, the next is
  // refused for overload. "lose for good": that goes on for ever; else what comes after it is done.
  grpc::Status lose(const std::string& request_id, const std::string& body) {
    std::size_t attempt = 0;
    {
      const std::scoped_lock lock(mutex_);
      request_ids_.push_back(request_id);
      attempt = request_ids_.size();
    }
    const std::size_t late = body == "lose late" ? 1 : 0;
    if (attempt == late) {
      return refused_status(grpc::StatusCode::UNAVAILABLE, "no leader yet");
    }
    if (attempt == late + 1) {
      return {grpc::StatusCode::UNAVAILABLE, "the reply was lost"};
    }
    EXPECT_TRUE(wait_until([this] { return go_on_.load(); }));
    if (attempt == late + 2 || body == "lose for good") {
      return refused_status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much to do");
    }
    return grpc::Status::OK;
  }
  static v1::Message message(std::uint64_t id, std::uint64_t sender, const std::string& body) {
    v1::Message message;
    message.set_id(id);
    message.set_sender_id(sender);
    message.set_sender(sender == 1 ? "ann" : "bob");
    message.set_recipient_id(3 - sender);
    message.set_body(body);
    return message;
  }
  std::optional<v1::Message> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(said_, std::nullopt);
  }
  std::mutex mutex_;
  std::uint64_t next_id_ = 20;
  std::optional<v1::Message> said_;
  std::vector<std::string> sent_;
  std::vector<std::uint64_t> read_;
  std::vector<std::string> request_ids_;
  std::atomic<bool> go_on_ = false;
};

class ChatScreen : public ::testing::Test {
 protected:
  ChatScreen() : server_(bob_.script()), cli_(to_string(server_.address())) {
    EXPECT_EQ(cli_.run({"login", "ann", "--password-stdin"}, "password\n").exit_code, 0);
  }
  [[nodiscard]] std::string command() const {
    return fmt::format("XDG_CONFIG_HOME={} LC_ALL=C.UTF-8 TZ=UTC {} chat bob; echo left with $?",
                       cli_.config_home().string(), program("parley").string());
  }
  Bob bob_;
  ScriptedServer server_;
  CliRunner cli_;
};

TEST_F(ChatScreen, AMessageComesInAboveAHalfTypedLine) {
  const Tmux terminal(command(), 80, 24);
  ASSERT_TRUE(terminal.wait_for("bob: from yesterday")) << terminal.screen();
  terminal.type("half a line, über");
  terminal.press("Left");
  ASSERT_TRUE(terminal.wait_for("half a line, über"));
  bob_.say("hello, hear \x1b[2Jme");
  ASSERT_TRUE(terminal.wait_for("bob: hello, hear \\x1b[2Jme")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_until([](const std::string& screen) {
    const auto line = screen.find("\nann> half a line, über");
    return line != std::string::npos && line > screen.find("bob: hello") &&
           line == screen.rfind("\nann> half");
  })) << terminal.screen();
  terminal.type("e");  // the cursor is where it was: before the last letter
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_for("you: half a line, übeer")) << terminal.screen();
  EXPECT_THAT(bob_.sent(), ElementsAre("half a line, übeer"));
  EXPECT_THAT(bob_.read(), ElementsAre(5, 21)) << "what was shown is marked as read";
  terminal.type("/quit");
  terminal.press("Enter");
  EXPECT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
}

TEST_F(ChatScreen, ALineOfBlanksIsNotSent) {
  const Tmux terminal(command(), 80, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  for (const char* const line : {"   ", "and then"}) {
    terminal.type(line);
    terminal.press("Enter");
  }
  ASSERT_TRUE(terminal.wait_for("you: and then")) << terminal.screen();
  EXPECT_THAT(bob_.sent(), ElementsAre("and then"));
  EXPECT_THAT(terminal.screen(), Not(says_it_failed()));
}

TEST_F(ChatScreen, ALineLongerThanTheTerminalStaysWhole) {
  const Tmux terminal(command(), 40, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  const std::string line = "one two three four five six seven eight nine ten eleven twelve";
  terminal.type(line);
  ASSERT_TRUE(terminal.wait_for("twelve"));
  bob_.say("in between");
  ASSERT_TRUE(terminal.wait_for("bob: in between")) << terminal.screen();
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_until([this](const std::string&) { return !bob_.sent().empty(); }));
  EXPECT_THAT(bob_.sent(), ElementsAre(line));
}

TEST_F(ChatScreen, ARefusedLineIsMarkedPlainly) {
  const Tmux terminal(command(), 100, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  terminal.type("refuse me");
  terminal.press("Enter");
  EXPECT_TRUE(terminal.wait_for("!! NOT SENT: \"refuse me\": Recipient does not exist."))
      << terminal.screen();
  terminal.type("/help");
  terminal.press("Enter");
  EXPECT_TRUE(terminal.wait_for("/quit   leave"));
  terminal.press("C-c");
  EXPECT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
}

TEST_F(ChatScreen, J22_ALostReplyIsUnknownAndAskedAgainUntilItIsToldAsSent) {
  const Tmux terminal(command(), 100, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  terminal.type("lose my reply");
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_for("-- unknown whether it was sent, asking again: \"lose my reply\""))
      << terminal.screen();
  EXPECT_THAT(terminal.screen(), AllOf(Not(says_it_failed()), Not(HasSubstr("you: lose my reply"))));
  bob_.go_on();
  ASSERT_TRUE(terminal.wait_for("you: lose my reply")) << terminal.screen();
  EXPECT_THAT(terminal.screen(), Not(says_it_failed()));
  EXPECT_THAT(bob_.request_ids(), AllOf(SizeIs(3), Each(bob_.request_ids().front())));
  terminal.type("/quit");
  terminal.press("Enter");
  EXPECT_TRUE(terminal.wait_for("left with 0")) << terminal.screen();
}

// "Not sent yet" was true when it was told, and is no longer.
TEST_F(ChatScreen, J22_WhatBecomesUnknownOnlyLaterIsToldThen) {
  const Tmux terminal(command(), 100, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  terminal.type("lose late");
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_for("-- not sent yet, asking again: \"lose late\"")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_for("-- unknown whether it was sent, asking again: \"lose late\""))
      << terminal.screen();
  bob_.go_on();
  EXPECT_TRUE(terminal.wait_for("you: lose late")) << terminal.screen();
}

TEST_F(ChatScreen, J22_WhoLeavesMeanwhileIsToldThatItIsUnknownAndHowToAskAgain) {
  const Tmux terminal(command(), 100, 24);
  ASSERT_TRUE(terminal.wait_for("from yesterday"));
  terminal.type("lose for good");
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_for("-- unknown whether it was sent, asking again")) << terminal.screen();
  bob_.go_on();
  terminal.type("/quit");
  terminal.press("Enter");
  ASSERT_TRUE(terminal.wait_for("left with 4")) << terminal.screen();
  EXPECT_THAT(
      terminal.screen(),
      AllOf(HasSubstr("!! UNKNOWN whether it was sent: \"lose for good\""), Not(says_it_failed()),
            HasSubstr("parley send bob --recipient-id 2 --request-id " + bob_.request_ids().front())));
}

}  // namespace
}  // namespace parley::testing
