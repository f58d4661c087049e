// BarrierReads against a node that answers when told: whoever shares a read with callers in a hurry is served
// all the same, and nobody is forgotten.
#include "service/barrier_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace parley::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Reads wait until step(), which answers the oldest; as a real node it fails one whose deadline has passed.
class SteppedNode final : public node::ChatNode {
 public:
  [[nodiscard]] node::Deadline now() const { return now_; }
  [[nodiscard]] std::size_t under_way() const { return reads_.size(); }

  void step(milliseconds takes) {
    now_ += takes;
    ASSERT_FALSE(reads_.empty());
    Read read = std::move(reads_.front());
    reads_.pop_front();
    if (read.deadline <= now_) {
      read.done(std::unexpected(base::refused(base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "late")),
                {});
    } else {
      read.done(nullptr, {});  // nobody here looks at the state
    }
  }

  void read(node::ReadMode, node::Deadline deadline, node::ReadCallback done) override {
    reads_.push_back({deadline, std::move(done)});
  }
  void write(chat::Command, node::Deadline, node::WriteCallback) override {}
  [[nodiscard]] std::unique_ptr<node::Subscription> watch(const node::WatchStart&,
                                                          std::shared_ptr<node::WatchSink>) override {
    return nullptr;
  }
  void call_leader(node::CallToLeader, node::ApiCallback) override {}
  void set_api_handler(std::weak_ptr<node::ApiHandler>) override {}
  [[nodiscard]] node::NodeStatus status() const override { return {}; }
  [[nodiscard]] std::optional<chat::TokenKey> token_key() const override { return std::nullopt; }
  [[nodiscard]] std::int64_t server_time_unix_ms() const override { return 0; }

 private:
  struct Read {
    node::Deadline deadline;
    node::ReadCallback done;
  };
  std::deque<Read> reads_;
  node::Deadline now_{std::chrono::hours(1)};
};

class BarrierReadsTest : public ::testing::Test {
 protected:
  // What each caller heard, in the order in which they were answered.
  void ask(const std::string& name, milliseconds patience) {
    reads_->read(
        node_.now() + patience, [this, name](const base::Result<chat::Reader*>& reader, const node::AsOf&) {
          answers_.push_back(name + (reader ? ": served" : ": " + base::to_string(reader.error().code)));
        });
  }
  [[nodiscard]] std::vector<std::string> take_answers() { return std::exchange(answers_, {}); }

  SteppedNode node_;
  std::shared_ptr<BarrierReads> reads_ =
      std::make_shared<BarrierReads>(node_, [this] { return node_.now(); });
  std::vector<std::string> answers_;
};

TEST_F(BarrierReadsTest, CallersInAHurryDoNotKeepAPatientOneWaiting) {
  ask("first", seconds(10));
  ask("patient", seconds(10));
  for (int round = 0; round < 2; ++round) {
    ask("hasty", milliseconds(1));
    node_.step(milliseconds(5));
  }
  EXPECT_THAT(take_answers(), ElementsAre("first: served", "hasty: DEADLINE_EXCEEDED", "patient: served",
                                          "hasty: DEADLINE_EXCEEDED"));
  EXPECT_EQ(node_.under_way(), 0U);
}

// Both have time left when the next read begins; it ends after the deadline of one.
TEST_F(BarrierReadsTest, EachIsJudgedByItsOwnDeadline) {
  ask("first", seconds(10));
  ask("patient", seconds(10));
  ask("hasty", milliseconds(8));
  node_.step(milliseconds(5));
  EXPECT_THAT(take_answers(), ElementsAre("first: served"));
  node_.step(milliseconds(5));
  EXPECT_THAT(take_answers(), ElementsAre("patient: served", "hasty: DEADLINE_EXCEEDED"));
}

// A read that hangs is begun again for who can still wait; who cannot is told so, and is not taken along.
TEST_F(BarrierReadsTest, ABatchThatRunsOutIsBegunAgainForWhoCanStillWait) {
  ask("patient", seconds(10));
  ask("waits", seconds(10));
  ask("late", milliseconds(500));
  node_.step(seconds(2));
  EXPECT_THAT(take_answers(), ElementsAre("late: DEADLINE_EXCEEDED"));
  ASSERT_EQ(node_.under_way(), 1U);
  node_.step(milliseconds(5));
  EXPECT_THAT(take_answers(), ElementsAre("patient: served", "waits: served"));
  EXPECT_EQ(node_.under_way(), 0U);
}

TEST_F(BarrierReadsTest, WhenAllAreTooLateNothingIsBegun) {
  ask("one", milliseconds(1));
  ask("two", milliseconds(1));
  EXPECT_THAT(take_answers(), IsEmpty());
  node_.step(milliseconds(5));
  EXPECT_THAT(take_answers(), ElementsAre("one: DEADLINE_EXCEEDED", "two: DEADLINE_EXCEEDED"));
  ASSERT_EQ(node_.under_way(), 0U);
  ask("three", seconds(1));
  ASSERT_EQ(node_.under_way(), 1U) << "nothing is in flight any more";
  node_.step(milliseconds(5));
  EXPECT_THAT(take_answers(), ElementsAre("three: served"));
}

}  // namespace
}  // namespace parley::service
