// Applier by hand: a state that breaks and is made again from the log, a portion at a time. Nothing is given
// out twice, and no read is told that it is fresher than it is.
#include "node/applier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <optional>

#include "node/stamped_entry.h"
#include "raft/codec.h"
#include "tests/node/cluster.h"
#include "tests/node/failing_vfs.h"
#include "tests/node/fake_log.h"

namespace parley::node::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::int64_t kTodayUnix_ms = 1'790'000'000'000;

using WriteAnswer = std::optional<base::Result<chat::CommandResult>>;
using ReadAnswer = std::optional<std::string>;  // the reason why there is none

// Keeps what it is given; the log is what the test put there. Complains where the ring of events would stop
// the process.
class HandOutlet final : public ApplyOutlet {
 public:
  explicit HandOutlet(const ApplyProgress& of) : progress(of) {}
  void reply(const RemoteWriter&, chat::CommandResult) override {}
  void replied() override {}
  void give_back(std::vector<PendingWritePtr> writes, std::vector<RemoteWriter>) override {
    std::ranges::move(writes, std::back_inserter(given_back));
  }
  void publish(base::Position applied, std::vector<chat::SharedEvent> events) override {
    EXPECT_GT(applied, told);
    readable_before_told = readable_before_told || progress.committed > told.value();
    for (const chat::SharedEvent& event : events) {
      EXPECT_GT(event->position, told) << "given out twice";
      EXPECT_LE(event->position, applied);
      event_positions.push_back(event->position.value());
    }
    told = applied;
  }
  void skip_to(base::Position applied) override {
    EXPECT_GE(applied, told) << "the ring of events never goes back";
    told = applied;
  }
  void read(PendingRead read) override { reads.push_back(std::move(read)); }
  void state_reopened() override {}
  void cannot_apply(const std::string& why) override { trouble = why; }
  [[nodiscard]] std::expected<std::vector<raft::Entry>, std::string> read_log(base::Position first) override {
    ++log_reads;
    if (first.value() > log_fails_after) {
      return std::unexpected("the log cannot be read now");
    }
    const auto begin = log.begin() + static_cast<std::ptrdiff_t>(std::min(first.value() - 1, log.size()));
    const auto count = std::min(portion, log.end() - begin);
    return std::vector<raft::Entry>(begin, begin + count);
  }
  [[nodiscard]] base::ClusterId cluster_id() const override { return cluster; }

  const ApplyProgress& progress;
  base::ClusterId cluster;
  std::vector<raft::Entry> log;
  std::ptrdiff_t portion = 1'000;
  std::uint64_t log_fails_after = UINT64_MAX;
  int log_reads = 0;
  std::string trouble;
  base::Position told;  // everything up to here
  bool readable_before_told = false;
  std::vector<std::uint64_t> event_positions;
  std::vector<PendingRead> reads;
  std::vector<PendingWritePtr> given_back;
};

class ApplierTest : public ::testing::Test {
 protected:
  // Entry 1 founds, entry 2 is anna, and all that follow are messages of hers, with an event each.
  ApplierTest() {
    raft::Founding founding;
    founding.configuration.voters = {member(1)};
    founding.cluster_id.bytes.fill(7);
    founding.state_seed = std::string(32, 's');
    outlet_.cluster = founding.cluster_id;
    outlet_.log.push_back(
        {base::Position(1), raft::Term(1), raft::EntryKind::founding, base::Payload(raft::encode(founding))});
    append(chat::CreateAccount{
        .request = request(), .name = "anna", .password_hash = "$argon2id$fake", .session = session_of(1)});
    while (outlet_.log.size() < kEntries) {
      append(chat::SendMessage{.request = request(),
                               .authority = {chat::AccountId(2), session_of(1)},
                               .recipient = "anna",
                               .recipient_id = chat::AccountId(2),
                               .body = "hello"});
    }
  }

  void append(const chat::Command& command) {
    outlet_.log.push_back({base::Position(outlet_.log.size() + 1), raft::Term(1), raft::EntryKind::command,
                           make_stamped_entry({.cluster_time_ms = 1'000, .wall_unix_ms = kTodayUnix_ms},
                                              chat::encode(command))});
  }
  [[nodiscard]] chat::RequestKey request() {
    ++requests_;
    return {.id = base::make_request_id(kTodayUnix_ms, {0, 0, 0, 0, 0, 0, 0, 0, 0, requests_}),
            .content_digest = requests_};
  }

  // Begins behind `received`; without a state, it waits for one that it can open.
  void start(bool has_state, std::uint64_t received) {
    std::unique_ptr<chat::StateMachine> state;
    if (has_state) {
      auto opened = chat::StateMachine::open(options_);
      ASSERT_TRUE(opened.has_value()) << opened.error().what;
      state = std::move(*opened);
    }
    outlet_.told = base::Position(received);
    // Longer than soon(), so that a state that breaks there is not opened again at once.
    limits_.commit_after = std::chrono::milliseconds(0);
    limits_.reopen_after = std::chrono::seconds(10);
    applier_.emplace(std::move(state), "it is not there", options_, limits_, base::Position(received),
                     outlet_, progress_, freshness_);
  }
  void apply(std::uint64_t first, std::uint64_t last, Writer writer = {}) {
    std::vector<ApplyItem> items;
    for (std::uint64_t position = first; position <= last; ++position) {
      items.push_back({outlet_.log.at(position - 1), {}});
    }
    items.back().writer = std::move(writer);
    applier_->apply(std::move(items));
  }
  // What is open is committed.
  void commit() { applier_->idle(std::chrono::steady_clock::now() + std::chrono::seconds(1)); }
  void reopen() { applier_->idle(std::chrono::steady_clock::now() + std::chrono::hours(1)); }
  void idle() { applier_->idle(std::chrono::steady_clock::now()); }
  // These are run and told, and then cannot be committed.
  void break_at(std::uint64_t first, std::uint64_t last) {
    disk_.set_full(true);
    apply(first, last);
    commit();
    disk_.set_full(false);
    ASSERT_THAT(outlet_.trouble, Not(IsEmpty()));
  }
  // A state that is made again as far as this, and then the log cannot be read.
  void make_again_and_fail_after(std::uint64_t position) {
    outlet_.portion = static_cast<std::ptrdiff_t>(position);
    outlet_.log_fails_after = position;
    reopen();
    idle();
    outlet_.log_fails_after = UINT64_MAX;
    ASSERT_EQ(outlet_.trouble, "the log cannot be read now");
  }
  void move_state(const std::string& from, const std::string& to) const {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      if (fs::exists(from + suffix)) {
        fs::rename(from + suffix, to + suffix);
      }
    }
  }
  [[nodiscard]] static PendingWritePtr make_write(const std::shared_ptr<WriteAnswer>& answer) {
    auto write = std::make_unique<PendingWrite>();
    write->done = [answer](base::Result<chat::CommandResult> result) { *answer = std::move(result); };
    return write;
  }
  [[nodiscard]] static PendingRead make_read(ReadMode mode, std::shared_ptr<ReadAnswer> answer) {
    return {
        .mode = mode,
        .deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10),
        .done = [answer = std::move(answer)](const base::Result<chat::Reader*>& reader,
                                             const AsOf&) { *answer = reader ? "" : reader.error().reason; },
        .place = {}};
  }
  // How far a snapshot has to be to answer a stale read.
  [[nodiscard]] std::uint64_t stale_read_needs() {
    applier_->serve_stale(make_read(ReadMode::stale, std::make_shared<ReadAnswer>()),
                          std::chrono::steady_clock::now());
    return outlet_.reads.back().needs.value();
  }

  static constexpr std::size_t kEntries = 110;

  std::uint8_t requests_ = 0;
  TemporaryFolder folder_;
  FailingVfs disk_{"applier-test"};
  const std::string path_ = folder_.path() + "/state.db";
  const chat::StateOptions options_{.path = path_, .vfs = disk_.name()};
  ApplyLimits limits_;
  ApplyProgress progress_;
  HandOutlet outlet_{progress_};
  Freshness freshness_{[] { return BootTime(); }};
  std::optional<Applier> applier_;
};

// 1. A state is made again from an empty file, which takes minutes. 2. Stale reads come meanwhile, entries
// with their writers, the end of the node: none of them waits for more than a portion.
TEST_F(ApplierTest, AStateThatIsFarBehindIsBroughtUpToDateInPortions) {
  ASSERT_NO_FATAL_FAILURE(start(false, 60));
  outlet_.portion = 10;
  reopen();
  EXPECT_EQ(outlet_.log_reads, 1) << "and then it is somebody else's turn";
  EXPECT_THAT(outlet_.trouble, Not(IsEmpty()));
  const SteadyTime now = std::chrono::steady_clock::now();
  EXPECT_LE(applier_->next_wakeup(now), now) << "it goes on at once";
  EXPECT_EQ(stale_read_needs(), 10U);
  const auto given_back = std::make_shared<WriteAnswer>();
  apply(61, 61, make_write(given_back));
  ASSERT_THAT(outlet_.given_back, SizeIs(1)) << "asked for again where somebody can apply it";
  EXPECT_TRUE(outlet_.given_back.front()->may_have_happened);
  const auto barrier = std::make_shared<ReadAnswer>();
  ReadyReads ready{.position = base::Position(5), .asked_at = {}, .reads = {}};
  ready.reads.push_back(make_read(ReadMode::linearizable, barrier));
  applier_->serve(std::move(ready));
  EXPECT_EQ(*barrier, "STATE_FAILED");

  int portions = 1;
  while (!outlet_.trouble.empty() && portions < 100) {
    idle();
    ++portions;
    EXPECT_EQ(outlet_.log_reads, portions);
  }
  EXPECT_EQ(portions, 7) << "61 entries, of which one came meanwhile";
  EXPECT_EQ(progress_.applied, 61U);
  EXPECT_EQ(progress_.committed, 61U);
  const auto answer = std::make_shared<WriteAnswer>();
  apply(62, 62, make_write(answer));
  ASSERT_TRUE(answer->has_value() && (*answer)->has_value()) << "entries are run as they come again";
  EXPECT_EQ((**answer)->position, base::Position(62));
  EXPECT_FALSE(given_back->has_value());
  EXPECT_THAT(outlet_.event_positions, ElementsAre(61, 62)) << "those before this life are not told";
}

TEST_F(ApplierTest, TheEndOfTheNodeDoesNotWaitForAStateThatIsFarBehind) {
  ASSERT_NO_FATAL_FAILURE(start(false, 100));
  outlet_.portion = 10;
  reopen();
  applier_->stop();
  EXPECT_EQ(outlet_.log_reads, 1);
  applier_.reset();
  const auto left = chat::StateMachine::open(options_);
  ASSERT_TRUE(left.has_value()) << left.error().what;
  EXPECT_EQ((*left)->applied(), base::Position(10)) << "the next life goes on from there";
}

// 1. A leader has vouched for what the state has: entry 100. 2. It is made again, and has entry 60. 3. Read
// now, it would be told to be as fresh as entry 100 was.
TEST_F(ApplierTest, WhatWasReadableIsNeededOfAStateThatIsMadeAgain) {
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  apply(1, 100);
  commit();
  ASSERT_EQ(progress_.committed, 100U);
  ASSERT_NO_FATAL_FAILURE(break_at(101, 101));
  EXPECT_EQ(stale_read_needs(), 100U) << "the file has that";
  move_state(path_, path_ + ".away");
  ASSERT_NO_FATAL_FAILURE(make_again_and_fail_after(60));
  EXPECT_EQ(stale_read_needs(), 100U);
  reopen();
  EXPECT_THAT(outlet_.trouble, IsEmpty());
  EXPECT_EQ(stale_read_needs(), 101U);
}

// 1. What was told and not committed is lost with a state that breaks. 2. Another is made in its place, and
// breaks before it has come as far. 3. The first one is put back.
TEST_F(ApplierTest, AStateThatIsPutBackIsBehindWhatWasToldAndNothingIsToldTwice) {
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  apply(1, 95);
  commit();
  ASSERT_NO_FATAL_FAILURE(break_at(96, 100));
  ASSERT_EQ(outlet_.told, base::Position(100));
  move_state(path_, path_ + ".away");
  ASSERT_NO_FATAL_FAILURE(make_again_and_fail_after(60));
  move_state(path_, path_ + ".second");
  move_state(path_ + ".away", path_);
  reopen();
  EXPECT_THAT(outlet_.trouble, IsEmpty());
  EXPECT_EQ(progress_.committed, 100U);
  EXPECT_EQ(outlet_.told, base::Position(100));
  apply(101, 101);
  std::vector<std::uint64_t> each_once(99);
  std::iota(each_once.begin(), each_once.end(), 3);
  EXPECT_EQ(outlet_.event_positions, each_once);
}

// 1. Entries fill a transaction in the middle of a batch: an end of a session, and a message to it. 2.
// Committed before they are told, the message is replayed to a watch that has not heard of the end.
TEST_F(ApplierTest, WhatFillsATransactionIsToldBeforeItCanBeRead) {
  limits_.commit_entries = 8;
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  apply(1, 100);
  EXPECT_EQ(progress_.committed, 96U);
  EXPECT_EQ(outlet_.told, base::Position(100));
  EXPECT_FALSE(outlet_.readable_before_told);
}

TEST_F(ApplierTest, AStaleReadThatComesTooLateIsNotHandedOn) {
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  apply(1, 3);
  const auto answer = std::make_shared<ReadAnswer>();
  PendingRead read = make_read(ReadMode::stale, answer);
  const SteadyTime deadline = read.deadline;
  applier_->serve_stale(std::move(read), deadline);
  EXPECT_EQ(*answer, "DEADLINE_EXCEEDED");
  EXPECT_THAT(outlet_.reads, IsEmpty());
}

// A state that another node lent is ahead of what comes: what was run in another life has no result here.
TEST_F(ApplierTest, WhoWritesWhatTheStateHasAlreadyAsksAgain) {
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  apply(1, 10);
  applier_->stop();
  applier_.reset();
  ASSERT_NO_FATAL_FAILURE(start(true, 5));
  const auto answer = std::make_shared<WriteAnswer>();
  apply(6, 6, make_write(answer));
  EXPECT_THAT(outlet_.given_back, SizeIs(1));
}

TEST_F(ApplierTest, OfTheProbesThatAStateCannotFollowTheOldestAndTheNewestWait) {
  ASSERT_NO_FATAL_FAILURE(start(true, 0));
  for (int probe = 1; probe <= 4; ++probe) {
    applier_->serve({.position = base::Position(static_cast<std::uint64_t>(probe)),
                     .asked_at = BootTime(std::chrono::seconds(probe)),
                     .reads = {}});
  }
  for (const auto& [applied, known] : {std::pair(1, 1), {3, 1}, {4, 4}}) {
    apply(outlet_.told.value() + 1, static_cast<std::uint64_t>(applied));
    commit();
    EXPECT_EQ(freshness_.asked_at(), BootTime(std::chrono::seconds(known))) << applied;
  }
}

}  // namespace
}  // namespace parley::node::testing
