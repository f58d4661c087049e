// ReaderPool on a state file that somebody has replaced, or that is being made again.
#include "node/reader_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "tests/node/cluster.h"

namespace parley::node::testing {
namespace {

class ReaderPoolTest : public ::testing::Test {
 protected:
  void run_up_to(std::uint64_t last) const {
    const auto opened = chat::StateMachine::open(options_);
    ASSERT_TRUE(opened.has_value()) << opened.error().what;
    chat::StateMachine& state = **opened;
    if (state.applied().is_none()) {
      base::ClusterId cluster_id;
      cluster_id.bytes.fill(7);
      ASSERT_TRUE(state.apply_founding(base::Position(1), cluster_id, std::string(32, 's')));
    }
    while (state.applied() < base::Position(last)) {
      ASSERT_TRUE(state.apply_nothing(state.applied().next()));
    }
    ASSERT_TRUE(state.commit());
  }
  void start() {
    pool_.emplace(options_, 1, 100, freshness_, progress_,
                  [this](base::Position position) { return position.value() <= log_end_; });
  }
  [[nodiscard]] base::Result<AsOf> read(std::uint64_t needs) {
    auto promise = std::make_shared<std::promise<base::Result<AsOf>>>();
    auto future = promise->get_future();
    pool_->submit({.mode = ReadMode::stale,
                   .deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10),
                   .done =
                       [promise](const base::Result<chat::Reader*>& reader, const AsOf& as_of) {
                         if (reader) {
                           promise->set_value(as_of);
                         } else {
                           promise->set_value(std::unexpected(reader.error()));
                         }
                       },
                   .place = {},
                   .needs = base::Position(needs)});
    return future.get();
  }
  void expect_unreadable(std::uint64_t needs) {
    const auto answer = read(needs);
    ASSERT_FALSE(answer) << "read at " << answer->position.value();
    EXPECT_EQ(answer.error().reason, "STATE_UNREADABLE");
  }
  void expect_read_at(std::uint64_t position, std::uint64_t needs) {
    const auto answer = read(needs);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->position, base::Position(position));
  }

  TemporaryFolder folder_;
  const chat::StateOptions options_{.path = folder_.path() + "/state.db", .vfs = {}};
  Freshness freshness_{[] { return BootTime(); }};
  ApplyProgress progress_;
  std::atomic<std::uint64_t> log_end_{1'000};
  std::optional<ReaderPool> pool_;
};

// It would satisfy whatever a read needs, with what this node has never heard of.
TEST_F(ReaderPoolTest, AStateAheadOfTheLogIsNotRead) {
  ASSERT_NO_FATAL_FAILURE(run_up_to(6));
  log_end_ = 5;
  start();
  expect_unreadable(3);
  expect_unreadable(3);
  log_end_ = 6;
  expect_read_at(6, 3);
}

// 1. A stale read is handed over, and needs what is readable then. 2. More becomes readable, and a leader
// vouches for it; the state breaks and is made again. 3. The read's turn comes: its age would be that of
// more than it sees.
TEST_F(ReaderPoolTest, AStateThatIsNotAsFarAsWasReadableOnceIsNotRead) {
  ASSERT_NO_FATAL_FAILURE(run_up_to(6));
  start();
  progress_.committed = 6;
  freshness_.as_of(BootTime());
  expect_read_at(6, 6);
  progress_.committed = 10;
  expect_unreadable(6);
  ASSERT_NO_FATAL_FAILURE(run_up_to(10));
  expect_read_at(10, 6);
}

}  // namespace
}  // namespace parley::node::testing
