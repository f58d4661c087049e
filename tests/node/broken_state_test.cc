// Rule 16 with real threads, logs and state files: a node whose state is full has the leader answer its
// calls, through the death of a leader; watches there say how old they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/node/cluster.h"
#include "tests/node/collector.h"
#include "tests/node/failing_vfs.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::EndsWith;
using ::testing::Not;
using ::testing::StartsWith;

// In place of the service: answers with the bodies in a user's inbox, read behind a barrier, and with who
// answered. Counts what it is asked, and keeps it to itself while it is told to.
class InboxReader final : public ApiHandler {
 public:
  static constexpr const char* kRead = "Inbox";
  static constexpr const char* kWrite = "Write";

  InboxReader(Replica& node, std::uint32_t id, TestUser user)
      : node_(node), id_(id), user_(std::move(user)) {}

  void on_call(ApiCall call, Deadline deadline, ApiCallback done) override {
    {
      const std::scoped_lock lock(mutex_);
      ++(call.method == kWrite ? writes_ : reads_);
      if (holds_) {
        held_.push_back({deadline, std::move(done)});
        return;
      }
    }
    answer({deadline, std::move(done)});
  }
  void hold() {
    const std::scoped_lock lock(mutex_);
    holds_ = true;
  }
  // Answers what it has held, and from now on at once.
  void release() {
    std::vector<Asked> held;
    {
      const std::scoped_lock lock(mutex_);
      holds_ = false;
      held = std::exchange(held_, {});
    }
    for (Asked& asked : held) {
      answer(std::move(asked));
    }
  }
  [[nodiscard]] int reads() const {
    const std::scoped_lock lock(mutex_);
    return reads_;
  }
  [[nodiscard]] int writes() const {
    const std::scoped_lock lock(mutex_);
    return writes_;
  }

 private:
  struct Asked {
    Deadline deadline;
    ApiCallback done;
  };

  void answer(Asked asked) {
    node_.read(ReadMode::linearizable, asked.deadline,
               [this, done = std::move(asked.done)](base::Result<chat::Reader*> reader, const AsOf&) mutable {
                 if (!reader) {
                   done(std::unexpected(reader.error()));
                   return;
                 }
                 std::string text = std::to_string(id_) + ":";
                 const auto page = (*reader)->messages(user_.account, {.page = {.page_size = 500}});
                 for (const chat::Message& message : page->items) {
                   text += " " + message.body;
                 }
                 done(std::move(text));
               });
  }

  Replica& node_;
  const std::uint32_t id_;
  const TestUser user_;
  mutable std::mutex mutex_;
  bool holds_ = false;
  int reads_ = 0;
  int writes_ = 0;
  std::vector<Asked> held_;
};

class BrokenState : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.start_all();
    const std::uint32_t leader = cluster_.wait_for_leader();
    anna_ = cluster_.make_user(leader, "anna");
    cluster_.wait_until_equal();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      handlers_[id] = std::make_shared<InboxReader>(cluster_.node(id), id, anna_);
      cluster_.node(id).set_api_handler(handlers_[id]);
    }
  }
  // Its state is full, and it has noticed.
  void fill(std::uint32_t id) {
    disks_.at(id)->set_full(true);
    send(cluster_.other_than(id), "filler");
    ASSERT_TRUE(wait_until([&] {
      return cluster_.node(id).status().trouble.find("cannot apply") != std::string::npos;
    })) << cluster_.node(id).status().trouble;
  }
  void send(std::uint32_t through, const std::string& body) {
    const auto sent = cluster_.write_until_known(through, cluster_.message(anna_, anna_, body));
    ASSERT_TRUE(sent && sent->verdict == chat::Verdict::done);
  }
  std::future<base::Result<std::string>> ask(std::uint32_t id, bool is_write = false) {
    auto promise = std::make_shared<std::promise<base::Result<std::string>>>();
    auto future = promise->get_future();
    cluster_.node(id).call_leader(
        {.call = {.method = is_write ? InboxReader::kWrite : InboxReader::kRead},
         .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60),
         .is_write = is_write,
         .is_repeatable = !is_write},
        [promise](base::Result<std::string> result) { promise->set_value(std::move(result)); });
    return future;
  }
  void hold_everywhere() {
    for (const auto& [id, handler] : handlers_) {
      handler->hold();
    }
  }
  // By whoever leads then, which a node that is full does not.
  void expect_answered_by_another_than(std::uint32_t full) {
    const auto answer = ask(full).get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_THAT(*answer, EndsWith(": filler acknowledged"));
    EXPECT_THAT(*answer, Not(StartsWith(std::to_string(full) + ":")));
    EXPECT_EQ(handlers_[full]->reads(), 0);
  }
  [[nodiscard]] std::uint32_t third(std::uint32_t one, std::uint32_t other) const { return 6 - one - other; }

  std::map<std::uint32_t, std::unique_ptr<FailingVfs>> disks_ = [] {
    std::map<std::uint32_t, std::unique_ptr<FailingVfs>> disks;
    for (std::uint32_t id = 1; id <= 3; ++id) {
      disks[id] = std::make_unique<FailingVfs>("broken-state-" + std::to_string(id));
    }
    return disks;
  }();
  std::map<std::uint32_t, std::shared_ptr<InboxReader>> handlers_;
  std::chrono::milliseconds no_leader_answer_ = std::chrono::seconds(20);
  TestCluster cluster_{3, [this](ReplicaOptions& options) {
                         options.sqlite_vfs = disks_.at(options.id.value())->name();
                         options.limits.no_leader_answer = no_leader_answer_;
                         // A busy machine deposes nobody. After a death they elect at once all the same.
                         options.timing.election_timeout_ticks = 50;
                       }};
  TestUser anna_;
};

TEST_F(BrokenState, TheLeadersValueIsAnsweredOnAFollowerThatIsFull) {
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  fill(full);
  send(leader, "acknowledged");
  expect_answered_by_another_than(full);
}

TEST_F(BrokenState, ALeaderThatIsFullAsksItsSuccessor) {
  const std::uint32_t full = cluster_.wait_for_leader();
  fill(full);
  send(cluster_.other_than(full), "acknowledged");
  expect_answered_by_another_than(full);
  EXPECT_NE(cluster_.wait_for_leader(), full);
}

TEST_F(BrokenState, TheLeaderDiesWithACallAndTheNextOneAnswersIt) {
  const std::uint32_t full = cluster_.other_than(cluster_.wait_for_leader());
  fill(full);
  send(cluster_.other_than(full), "acknowledged");
  hold_everywhere();
  auto read = ask(full);
  auto write = ask(full, true);
  std::uint32_t leader = 0;  // the one that has both, whoever led before
  ASSERT_TRUE(wait_until([&] {
    for (const auto& [id, handler] : handlers_) {
      leader = handler->reads() > 0 && handler->writes() > 0 ? id : leader;
    }
    return leader != 0;
  }));
  const std::uint32_t heir = third(leader, full);
  handlers_[heir]->release();
  cluster_.kill(leader);
  const auto answer = read.get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, std::to_string(heir) + ": filler acknowledged");
  const auto lost = write.get();
  ASSERT_FALSE(lost) << "nothing makes a second attempt the same";
  EXPECT_EQ(lost.error().code, base::Code::unavailable);
  EXPECT_EQ(lost.error().outcome, base::Outcome::unknown);
  EXPECT_EQ(handlers_[heir]->writes(), 0);
}

class BrokenStateAlone : public BrokenState {
 protected:
  BrokenStateAlone() { no_leader_answer_ = ReplicaLimits().no_leader_answer; }
};

TEST_F(BrokenStateAlone, WithoutALeaderItIsSaidSo) {
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  fill(full);
  cluster_.kill(leader);
  cluster_.kill(third(leader, full));
  const auto answer = ask(full).get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::Code::unavailable);
  EXPECT_EQ(answer.error().reason, "NO_LEADER");
}

TEST_F(BrokenState, CallsUnderWayAreBoundedAndTheEndOfTheNodeAnswersThem) {
  const std::uint32_t follower = cluster_.other_than(cluster_.wait_for_leader());
  hold_everywhere();
  const std::size_t limit = ReplicaLimits().max_calls;
  std::vector<std::future<base::Result<std::string>>> calls;
  for (std::size_t i = 0; i < limit; ++i) {
    calls.push_back(ask(follower));
  }
  const auto refused = ask(follower).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::resource_exhausted);
  cluster_.stop(follower);
  for (auto& call : calls) {
    const auto ended = call.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().reason, "SHUTTING_DOWN");
  }
}

// 1. The readers hold the state's file open. 2. It breaks, and the operator moves it away, as the log makes
// it again. 3. A reader that went on reading the old file would answer as of then, for ever.
TEST_F(BrokenState, AStateThatIsMadeAgainIsWhatIsReadFromThen) {
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  send(leader, "before");
  cluster_.wait_until_equal();
  for (int i = 0; i < 32; ++i) {
    EXPECT_THAT(cluster_.inbox(full, ReadMode::linearizable, anna_), ::testing::ElementsAre("before"));
  }
  fill(full);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string file = cluster_.folder(full) + "/state.db" + suffix;
    if (std::filesystem::exists(file)) {
      std::filesystem::rename(file, file + ".away");
    }
  }
  disks_[full]->set_full(false);
  ASSERT_TRUE(wait_until([&] { return cluster_.node(full).status().trouble.empty(); }));
  send(leader, "after");
  for (int i = 0; i < 32; ++i) {
    EXPECT_THAT(cluster_.inbox(full, ReadMode::linearizable, anna_),
                ::testing::ElementsAre("before", "filler", "after"));
  }
}

// 1. A log-out is applied, told and acknowledged. 2. Its transaction fails: the state goes back to where the
// session was. 3. Who has the old token watches. The log-out is run again, and is not told again.
TEST_F(BrokenState, AWatchOfASessionWhoseEndWasRolledBackEndsAllTheSame) {
  class Ended final : public WatchSink {
   public:
    [[nodiscard]] bool on_event(const chat::SharedEvent&) override {
      ++events_;
      return true;
    }
    [[nodiscard]] bool on_heartbeat(base::Position, const AsOf&, bool) override { return true; }
    [[nodiscard]] bool on_resync(base::Position) override { return true; }
    void on_end(const base::Error& why) override {
      EXPECT_EQ(why.reason, "SESSION_ENDED") << why.message;
      has_ended_ = true;
    }
    [[nodiscard]] bool has_ended() const { return has_ended_; }
    [[nodiscard]] int events() const { return events_; }

   private:
    std::atomic<int> events_{0};
    std::atomic<bool> has_ended_{false};
  };
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  cluster_.wait_until_equal();
  disks_[full]->set_full(true);
  const auto out = cluster_.write_until_known(
      leader, chat::LogOut{.request = cluster_.new_request(), .authority = {anna_.account, anna_.session}});
  ASSERT_TRUE(out && out->verdict == chat::Verdict::done);
  ASSERT_TRUE(wait_until(
      [&] { return cluster_.node(full).status().trouble.find("cannot apply") != std::string::npos; }));
  const auto sink = std::make_shared<Ended>();
  const auto watching = cluster_.node(full).watch(start_of(anna_), sink);
  disks_[full]->set_full(false);
  EXPECT_TRUE(wait_until([&] { return sink->has_ended(); }));
  EXPECT_EQ(sink->events(), 0);
}

// A watch does not hang in silence: its heartbeats say that what it has gets older, also where it waits for a
// position that this node does not come to.
TEST_F(BrokenState, WatchesOnAFullNodeGetOlderHeartbeats) {
  class Ages final : public WatchSink {
   public:
    [[nodiscard]] bool on_event(const chat::SharedEvent&) override { return true; }
    [[nodiscard]] bool on_heartbeat(base::Position, const AsOf& as_of, bool) override {
      const std::scoped_lock lock(mutex_);
      ages_ms_.push_back(as_of.age_ms.value_or(0));
      return true;
    }
    [[nodiscard]] bool on_resync(base::Position) override { return true; }
    void on_end(const base::Error& why) override { ADD_FAILURE() << why.message; }
    [[nodiscard]] bool grows() const {
      const std::scoped_lock lock(mutex_);
      return ages_ms_.size() >= 3 && ages_ms_.back() > 3'000;
    }

   private:
    mutable std::mutex mutex_;
    std::vector<std::uint32_t> ages_ms_;
  };
  const std::uint32_t leader = cluster_.wait_for_leader();
  const std::uint32_t full = cluster_.other_than(leader);
  const auto live = std::make_shared<Ages>();
  const auto watching = cluster_.node(full).watch(start_of(anna_), live);
  fill(full);
  // A resume with a position that this node will not come to while it is full.
  const base::Position far(cluster_.node(leader).status().applied_index + 1'000);
  const auto beyond = std::make_shared<Ages>();
  const auto waiting = cluster_.node(full).watch(start_of(anna_, far), beyond);
  EXPECT_TRUE(wait_until([&] { return live->grows() && beyond->grows(); }));
}

}  // namespace
}  // namespace parley::node::testing
