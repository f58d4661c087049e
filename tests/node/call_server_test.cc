// The service answers peers' calls on a thread of the node's own, and no more of them at once than there is
// room for.
#include "node/call_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/node/fake_log.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;

// Keeps the calls until it is told to answer.
class Keeper final : public ApiHandler {
 public:
  void on_call(ApiCall call, Deadline, ApiCallback done) override {
    const std::scoped_lock lock(mutex_);
    thread_ = std::this_thread::get_id();
    kept_.emplace_back(std::move(call), std::move(done));
  }
  [[nodiscard]] std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return kept_.size();
  }
  [[nodiscard]] std::thread::id thread() const {
    const std::scoped_lock lock(mutex_);
    return thread_;
  }
  void answer_all(const base::Result<std::string>& result) {
    std::vector<std::pair<ApiCall, ApiCallback>> kept;
    {
      const std::scoped_lock lock(mutex_);
      kept.swap(kept_);
    }
    for (auto& [call, done] : kept) {
      done(result);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<ApiCall, ApiCallback>> kept_;
  std::thread::id thread_;
};

class CallServerTest : public ::testing::Test {
 protected:
  static ForwardCall forward(std::uint64_t id, std::size_t size_bytes = 10) {
    return {.forward_id = id,
            .deadline_ms = 1'000,
            .call = {.method = "S/Read", .request = base::Payload(std::string(size_bytes, 'r'))}};
  }
  [[nodiscard]] std::vector<CallReply> replies() const {
    const std::scoped_lock lock(mutex_);
    return replies_;
  }

  mutable std::mutex mutex_;
  std::vector<CallReply> replies_;
  CallServer server_{2, 1'000, [this](const raft::Member& origin, CallReply reply) {
                       EXPECT_EQ(origin, member(3));
                       const std::scoped_lock lock(mutex_);
                       replies_.push_back(std::move(reply));
                     }};
};

TEST_F(CallServerTest, TheHandlerRunsElsewhereAndItsAnswerFindsTheCall) {
  const auto keeper = std::make_shared<Keeper>();
  server_.set_handler(keeper);
  auto call = forward(7);
  ASSERT_TRUE(server_.serve(member(3), call));
  ASSERT_TRUE(wait_until([&] { return keeper->count() == 1; }));
  EXPECT_NE(keeper->thread(), std::this_thread::get_id());
  keeper->answer_all("page");
  EXPECT_EQ(replies(), (std::vector<CallReply>{{.forward_id = 7, .answer = base::Payload("page")}}));
}

TEST_F(CallServerTest, WithoutAServiceTheOriginIsToldSo) {
  server_.set_handler(std::make_shared<Keeper>());  // gone already
  auto call = forward(7);
  ASSERT_TRUE(server_.serve(member(3), call));
  ASSERT_TRUE(wait_until([&] { return !replies().empty(); }));
  EXPECT_EQ(replies().front(), (CallReply{.forward_id = 7, .answer = CallFailure::not_served}));
}

TEST_F(CallServerTest, APlaceIsTakenUntilTheAnswer) {
  const auto keeper = std::make_shared<Keeper>();
  server_.set_handler(keeper);
  auto call = forward(1);
  ASSERT_TRUE(server_.serve(member(3), call));
  call = forward(2);
  ASSERT_TRUE(server_.serve(member(3), call));
  ASSERT_TRUE(wait_until([&] { return keeper->count() == 2; }));
  call = forward(3);
  EXPECT_FALSE(server_.serve(member(3), call));
  EXPECT_EQ(call, forward(3)) << "untouched";
  keeper->answer_all("page");
  EXPECT_TRUE(server_.serve(member(3), call));
  ASSERT_TRUE(wait_until([&] { return keeper->count() == 1; }));
  keeper->answer_all("page");
  call = forward(4, 1'000);
  ASSERT_TRUE(server_.serve(member(3), call));
  ASSERT_TRUE(wait_until([&] { return keeper->count() == 1; }));
  call = forward(5);
  EXPECT_FALSE(server_.serve(member(3), call)) << "so many bytes are under way";
  keeper->answer_all("page");
}

// What is this node's own trouble alone sends the origin to another leader; the rest is the call's answer.
TEST(CallReplies, OnlyWhatAnotherLeaderCouldDoBetterIsNoAnswer) {
  using base::Code;
  const auto reply = [](base::Error error) {
    return make_reply(5, std::unexpected(std::move(error))).answer;
  };
  for (const char* reason : {"STATE_FAILED", "STATE_UNREADABLE", "NO_LEADER", "SHUTTING_DOWN"}) {
    EXPECT_TRUE(reply(base::refused(Code::unavailable, reason, "")) ==
                CallReply{.answer = CallFailure::not_served}.answer)
        << reason;
    EXPECT_TRUE(reply(base::outcome_unknown(Code::unavailable, reason, "")) ==
                CallReply{.answer = CallFailure::lost}.answer)
        << reason;
  }
  const auto error = base::refused(Code::resource_exhausted, "OVERLOADED", "busy");
  EXPECT_TRUE(reply(error) == CallReply{.answer = error}.answer);
  const auto too_large = make_reply(5, std::string(kMaxAnswerBytes + 1, 'x'));
  ASSERT_TRUE(std::holds_alternative<base::Error>(too_large.answer));
  EXPECT_EQ(make_reply(5, "page"), (CallReply{.forward_id = 5, .answer = base::Payload("page")}));
}

}  // namespace
}  // namespace parley::node::testing
