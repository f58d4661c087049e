// What it costs that thousands resume their watches at once, on a state of its own and the real hub.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/bounded_queue.h"
#include "node/replay_plan.h"
#include "node/watch_hub.h"
#include "tests/chat/chat_world.h"
#include "tests/chat/statement_listener.h"
#include "tests/node/collector.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using chat::testing::StatementListener;
using chat::testing::User;
using parley::testing::wait_until;

base::Position at(std::uint64_t position) { return base::Position(position); }

TEST(ReplayPlan, OneScanWhereItCostsNoMoreThanEachApart) {
  const base::Position floor = at(100'000);
  const std::vector<base::Position> near = {at(99'000)};
  EXPECT_EQ(first_of_scan(near, floor, 2'000), 0U) << "alone, and near";
  const std::vector<base::Position> far = {at(10'000)};
  EXPECT_EQ(first_of_scan(far, floor, 2'000), 1U) << "alone, and far back: apart";
  const std::vector<base::Position> many(45, at(10'000));
  EXPECT_EQ(first_of_scan(many, floor, 2'000), 0U) << "far back, but enough of them";
  const std::vector<base::Position> one_far = {at(10), at(97'000), at(98'000)};
  EXPECT_EQ(first_of_scan(one_far, floor, 2'000), 1U) << "one apart, a scan for the others";
  const std::vector<base::Position> reached = {at(100'000)};
  EXPECT_EQ(first_of_scan(reached, floor, 0), 0U);
}

// Reads of the state, one after another on a thread of their own, as a node's reader does. The test says when
// they begin: what is asked before waits, however slow the machine is.
class StateReads final : public WatchHub::World {
 public:
  explicit StateReads(chat::testing::World& world)
      : reader_(std::move(*chat::Reader::open_for_test(world.options(), world.limits()))),
        thread_([this] { run(); }) {}
  ~StateReads() override { stop(); }
  StateReads(const StateReads&) = delete;
  StateReads& operator=(const StateReads&) = delete;

  void read_applied(ReadCallback done) override { EXPECT_TRUE(queue_.try_push(std::move(done))); }
  [[nodiscard]] AsOf as_of() const override { return {}; }
  [[nodiscard]] bool is_writable() const override { return true; }
  void begin() {
    has_begun_ = true;
    has_begun_.notify_all();
  }
  // Answers what was asked, and ends.
  void stop() {
    begin();
    queue_.close();
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  [[nodiscard]] std::size_t reads() const { return reads_.load(); }

 private:
  void run() {
    has_begun_.wait(false);
    while (true) {
      auto taken = queue_.pop_some(1);
      if (taken.empty()) {
        return;
      }
      ++reads_;
      EXPECT_TRUE(reader_->begin().has_value());
      taken.front()(reader_.get(), AsOf{.position = reader_->applied(), .age_ms = {}, .cluster_id = {}});
      reader_->end();
    }
  }

  std::unique_ptr<chat::Reader> reader_;
  base::BoundedQueue<ReadCallback, base::Consumers::several> queue_{"reads", 16'384};
  std::atomic<std::size_t> reads_{0};
  std::atomic<bool> has_begun_{false};
  std::jthread thread_;
};

class WatchResume : public ::testing::Test {
 protected:
  static constexpr std::size_t kUsers = 100;
  static constexpr std::size_t kMessages = 3'000;

  void SetUp() override {
    for (std::size_t i = 0; i < kUsers; ++i) {
      users_.push_back(world_.create("user" + std::to_string(i)));
    }
    start_ = world_.position();
    world_.events.clear();
    for (std::size_t i = 0; i < kMessages; ++i) {
      static_cast<void>(world_.send(users_[i % kUsers], users_[(i * 7 + 1) % kUsers], std::to_string(i)));
    }
    ASSERT_TRUE(world_.machine().commit().has_value());
    for (const chat::SharedEvent& event : world_.events) {
      for (const chat::AccountId account : event->audience) {
        ++expected_[account];
      }
    }
    reads_ = std::make_unique<StateReads>(world_);
  }

  // `count` watches that all missed every message, the ring none of them: each is given all that is its own.
  void resume(std::size_t count, WatchLimits limits) {
    limits.heartbeat = std::chrono::minutes(10);
    WatchHub hub(*reads_, limits, world_.position());
    std::vector<std::shared_ptr<Collector>> sinks;
    std::vector<std::unique_ptr<Subscription>> watches;
    listener_.start();
    for (std::size_t i = 0; i < count; ++i) {
      const User& user = users_[i % kUsers];
      sinks.push_back(std::make_shared<Collector>());
      watches.push_back(hub.watch(
          {.account = user.id, .session = user.session, .after = start_, .cluster_id = {}}, sinks.back()));
    }
    reads_->begin();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t expected = expected_[users_[i % kUsers].id];
      ASSERT_TRUE(wait_until([&] { return sinks[i]->count() >= expected; })) << i << " " << sinks[i]->count();
    }
    hub.stop();
    reads_->stop();
    listener_.stop();
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(sinks[i]->count(), expected_[users_[i % kUsers].id]);
      ASSERT_EQ(sinks[i]->resyncs(), 0);
    }
  }

  [[nodiscard]] std::ptrdiff_t statements_with(std::string_view text) const {
    return std::ranges::count_if(listener_.statements,
                                 [&](const std::string& sql) { return sql.contains(text); });
  }

  StatementListener listener_;
  chat::testing::World world_;
  std::vector<User> users_;
  base::Position start_;
  std::map<chat::AccountId, std::size_t> expected_;
  std::unique_ptr<StateReads> reads_;
};

TEST_F(WatchResume, FiveThousandAtOnceShareTheirScans) {
  constexpr std::size_t kWatches = 5'000;
  resume(kWatches, {});
  // A scan is kMessages / 500 pages. Who comes while one is under way shares the next, so it is a few scans,
  // and were it ten, a hundredth of one for each watch.
  const std::ptrdiff_t pages = statements_with("FROM message WHERE id >");
  EXPECT_GE(pages, 6);
  EXPECT_LE(pages, 6 * 10);
  // Two checks of the session for each watch, and the scans' rows: nothing else steps.
  EXPECT_LE(reads_->reads(), 500U);
  RecordProperty("pages", static_cast<int>(pages));
  RecordProperty("reads", static_cast<int>(reads_->reads()));
  RecordProperty("steps", std::to_string(listener_.steps));
}

TEST_F(WatchResume, ApartTheyAreGivenTheSame) {
  resume(30, {.replay_page = 7, .rows_apart = 0});
  EXPECT_EQ(statements_with("FROM message WHERE id >"), 0) << "no scan by id";
}

TEST_F(WatchResume, SomeApartAndOthersTogetherInSmallPages) {
  resume(200, {.replay_page = 50, .rows_apart = kMessages / 100});
  EXPECT_GT(statements_with("FROM message WHERE id >"), 0);
}

}  // namespace
}  // namespace parley::node::testing
