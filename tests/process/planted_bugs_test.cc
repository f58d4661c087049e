// The checks of the process suites, each proven by a server with a planted bug: a stale read, and a write
// that is applied twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/process/talk.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

enum class Bug : std::uint8_t { none, stale_read, applied_twice };

// A chat in memory for one recipient.
class Chat {
 public:
  explicit Chat(Bug bug) : bug_(bug) {}

  [[nodiscard]] Script script() {
    Script script;
    script.create_account = [](grpc::ServerContext&, const v1::CreateAccountRequest& request,
                               v1::CreateAccountResponse& response) {
      response.set_token(request.name());
      return grpc::Status::OK;
    };
    script.send_message = [this](grpc::ServerContext&, const v1::SendMessageRequest& request,
                                 v1::SendMessageResponse& response) {
      const std::scoped_lock lock(mutex_);
      for (int time = 0; time < (bug_ == Bug::applied_twice && messages_.size() == 5 ? 2 : 1); ++time) {
        v1::Message message;
        message.set_id(messages_.size() + 1);
        message.set_body(request.body());
        messages_.push_back(message);
      }
      *response.mutable_message() = messages_.back();
      return grpc::Status::OK;
    };
    script.list_messages = [this](grpc::ServerContext&, const v1::ListMessagesRequest& request,
                                  v1::ListMessagesResponse& response) {
      const std::scoped_lock lock(mutex_);
      if (!request.newest_first()) {
        response.mutable_messages()->Add(messages_.begin(), messages_.end());
      } else {
        const bool is_stale = bug_ == Bug::stale_read && messages_.size() == 5;
        *response.add_messages() = messages_[messages_.size() - (is_stale ? 2 : 1)];
      }
      return grpc::Status::OK;
    };
    return script;
  }

 private:
  const Bug bug_;
  std::mutex mutex_;
  std::vector<v1::Message> messages_;
};

struct Findings {
  std::vector<std::string> complaints;
  bool inbox_is_as_acknowledged = false;
};

Findings talk_at(Bug bug) {
  Chat chat(bug);
  const ScriptedServer server(chat.script());
  const auto client = [&server] {
    return std::make_unique<client::Client>(client::ClientOptions{.servers = {server.address()}});
  };
  Talk talk(client(), client(), "ann", "bob");
  talk.wait_for_more(20);
  talk.finish();
  return {.complaints = talk.complaints(),
          .inbox_is_as_acknowledged = inbox_of(*client()) == talk.acknowledged()};
}

TEST(PlantedBugs, NoneIsFoundWhereThereIsNone) {
  const Findings findings = talk_at(Bug::none);
  EXPECT_THAT(findings.complaints, IsEmpty());
  EXPECT_TRUE(findings.inbox_is_as_acknowledged);
}

TEST(PlantedBugs, AStaleReadIsFound) {
  EXPECT_THAT(talk_at(Bug::stale_read).complaints, Not(IsEmpty()));
  EXPECT_THAT(talk_at(Bug::stale_read).complaints.front(), HasSubstr("read after message 5 shows message 4"));
}

TEST(PlantedBugs, AWriteThatIsAppliedTwiceIsFound) {
  EXPECT_FALSE(talk_at(Bug::applied_twice).inbox_is_as_acknowledged);
}

}  // namespace
}  // namespace parley::testing
