// Every bounded queue of a node, filled: what no longer fits is refused as not executed, at once; nothing
// that was accepted is lost; and when it has drained, the node goes on. Those of peers' messages are in
// replica_test.cc, of calls in broken_state_test.cc and call_server_test.cc, of watches in watch_test.cc,
// what the core loop offers again in core_loop_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "node/disk_writer.h"
#include "node/log_fetcher.h"
#include "node/reader_pool.h"
#include "tests/node/cluster.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::UnorderedElementsAreArray;

constexpr std::size_t kPlaces = 8;
constexpr std::size_t kTries = 3 * kPlaces;

void expect_refused(const base::Error& error) {
  EXPECT_EQ(error.code, base::Code::resource_exhausted) << error.message;
  EXPECT_EQ(error.reason, "OVERLOADED");
  EXPECT_EQ(error.outcome, base::Outcome::refused);
}

SteadyTime in_a_minute() { return std::chrono::steady_clock::now() + std::chrono::minutes(1); }

class FullQueues : public ::testing::Test {
 protected:
  struct Try {
    chat::SendMessage command;
    std::future<WriteResult> answer;
    [[nodiscard]] bool is_over() const {
      return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
  };

  FullQueues() {
    cluster_.use_stalling_disks();
    cluster_.start_all();
    leader_ = cluster_.wait_for_leader();
    anna_ = cluster_.make_user(leader_, "anna");
    cluster_.wait_until_equal();
    leader_ = cluster_.wait_for_leader();
  }
  // Nothing is committed, though the leader is in touch with everybody.
  void stall_followers(bool is_stalled) {
    for (std::uint32_t id = 1; id <= cluster_.size(); ++id) {
      if (id != leader_) {
        cluster_.stalling_disk(id).set_stalled(is_stalled);
      }
    }
  }
  void begin_write(const std::string& body) {
    auto promise = std::make_shared<std::promise<WriteResult>>();
    tries_.push_back({.command = cluster_.message(anna_, anna_, body), .answer = promise->get_future()});
    cluster_.node(leader_).write(tries_.back().command, in_a_minute(),
                                 [promise](WriteResult result) { promise->set_value(std::move(result)); });
  }
  [[nodiscard]] std::size_t over() const {
    return static_cast<std::size_t>(std::ranges::count_if(tries_, &Try::is_over));
  }
  // When the disks are back, what was taken is done and the rest was refused; of that nothing is there until
  // it is sent again. In the end everything is there once.
  void expect_nothing_lost_doubled_or_done_though_refused() {
    stall_followers(false);
    std::vector<std::string> done;
    std::vector<std::string> all;
    std::vector<chat::SendMessage> refused;
    for (Try& one : tries_) {
      const auto result = one.answer.get();
      all.push_back(one.command.body);
      if (result) {
        EXPECT_EQ(result->verdict, chat::Verdict::done) << all.back();
        done.push_back(all.back());
      } else {
        expect_refused(result.error());
        refused.push_back(one.command);
      }
    }
    EXPECT_FALSE(done.empty());
    EXPECT_FALSE(refused.empty());
    EXPECT_THAT(cluster_.inbox(leader_, ReadMode::linearizable, anna_), UnorderedElementsAreArray(done));
    for (const chat::SendMessage& command : refused) {
      const auto sent = cluster_.write_until_known(leader_, command);
      EXPECT_TRUE(sent && sent->verdict == chat::Verdict::done) << command.body;
    }
    EXPECT_THAT(cluster_.inbox(leader_, ReadMode::linearizable, anna_), UnorderedElementsAreArray(all));
  }

  TestCluster cluster_{3, [](ReplicaOptions& options) {
                         options.limits.max_writes = kPlaces;
                         options.limits.max_reads = kPlaces;
                         options.limits.max_call_bytes = 1'000;
                         options.limits.flow.max_uncommitted_bytes = 6'000;
                         options.limits.no_leader_answer = std::chrono::minutes(2);
                         options.timing.election_timeout_ticks = 50;
                       }};
  std::uint32_t leader_ = 0;
  TestUser anna_;
  std::vector<Try> tries_;
};

TEST_F(FullQueues, WritesBeyondTheirPlacesAreRefusedAtOnce) {
  stall_followers(true);
  for (std::size_t i = 0; i < kTries; ++i) {
    begin_write(std::to_string(i));
  }
  // A node's own announcement may have one of the places.
  EXPECT_GE(over(), kTries - kPlaces);
  EXPECT_LE(over(), kTries - kPlaces + 1);
  expect_nothing_lost_doubled_or_done_though_refused();
}

// A few large ones fill what may wait for a majority, before the places are taken.
TEST_F(FullQueues, EntriesBeyondWhatMayWaitForAMajorityAreRefused) {
  stall_followers(true);
  for (std::size_t i = 0; i < kPlaces - 1; ++i) {
    begin_write(std::to_string(i) + std::string(2'000, '.'));
  }
  ASSERT_TRUE(wait_until([&] { return over() > 0; })) << "refused by the core thread";
  expect_nothing_lost_doubled_or_done_though_refused();
}

TEST_F(FullQueues, ReadsBeyondTheirPlacesAreRefusedAtOnce) {
  const std::uint32_t alone = cluster_.other_than(leader_);
  cluster_.network().isolate(base::NodeId(alone));
  std::vector<std::future<base::Result<AsOf>>> reads;
  for (std::size_t i = 0; i < kTries; ++i) {
    auto promise = std::make_shared<std::promise<base::Result<AsOf>>>();
    reads.push_back(promise->get_future());
    cluster_.node(alone).read(
        ReadMode::linearizable, in_a_minute(),
        [promise](base::Result<chat::Reader*> reader, const AsOf& as_of) {
          promise->set_value(reader ? base::Result<AsOf>(as_of) : std::unexpected(reader.error()));
        });
  }
  for (std::size_t i = kPlaces; i < kTries; ++i) {
    ASSERT_EQ(reads[i].wait_for(std::chrono::seconds(0)), std::future_status::ready) << i;
    const auto refused = reads[i].get();
    ASSERT_FALSE(refused);
    expect_refused(refused.error());
  }
  cluster_.network().heal();
  std::size_t answered = 0;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    const auto answer = reads[i].get();
    if (answer) {
      ++answered;
    } else {
      expect_refused(answer.error());
    }
  }
  EXPECT_GE(answered, kPlaces - 1) << "a read from before may have had one of the places";
  // Places are given back a moment after the answers.
  EXPECT_TRUE(wait_until(
      [&] { return cluster_.read(alone, ReadMode::linearizable, [](chat::Reader&) {}).has_value(); }));
}

TEST_F(FullQueues, CallsToTheLeaderBeyondTheirBytesAreRefusedAtOnce) {
  const std::uint32_t alone = cluster_.other_than(leader_);
  cluster_.network().isolate(base::NodeId(alone));
  const auto ask = [&](std::size_t size_bytes) {
    auto promise = std::make_shared<std::promise<base::Result<std::string>>>();
    cluster_.node(alone).call_leader(
        {.call = {.method = "S/Read", .request = base::Payload(std::string(size_bytes, 'r'))},
         .deadline = in_a_minute()},
        [promise](base::Result<std::string> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  };
  auto first = ask(1'000);
  auto second = ask(1);
  ASSERT_EQ(second.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  const auto refused = second.get();
  ASSERT_FALSE(refused);
  expect_refused(refused.error());
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "it waits for a leader";
  cluster_.stop(alone);
  const auto ended = first.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().reason, "SHUTTING_DOWN");
}

// The one reader thread is busy with a read; behind it there is room for so many.
TEST(FullReaders, ReadsBeyondTheQueueAreRefusedAndTheOthersAnswered) {
  const TemporaryFolder folder;
  const chat::StateOptions options{.path = folder.path() + "/state.db", .vfs = {}};
  const auto state = chat::StateMachine::open(options);
  ASSERT_TRUE(state.has_value()) << state.error().what;
  const Freshness freshness(boot_now);
  std::promise<void> begun;
  std::promise<void> release;
  std::vector<std::future<base::Result<void>>> answers;
  const ApplyProgress progress;
  ReaderPool pool(options, 1, kPlaces, freshness, progress, [](base::Position) { return true; });
  pool.submit({.deadline = in_a_minute(),
               .done =
                   [&](base::Result<chat::Reader*> reader, const AsOf&) {
                     EXPECT_TRUE(reader.has_value());
                     begun.set_value();
                     release.get_future().wait();
                   },
               .place = {}});
  begun.get_future().wait();
  const auto submit = [&] {
    auto promise = std::make_shared<std::promise<base::Result<void>>>();
    answers.push_back(promise->get_future());
    pool.submit({.deadline = in_a_minute(),
                 .done =
                     [promise](base::Result<chat::Reader*> reader, const AsOf&) {
                       promise->set_value(reader ? base::Result<void>() : std::unexpected(reader.error()));
                     },
                 .place = {}});
  };
  for (std::size_t i = 0; i < kTries; ++i) {
    submit();
  }
  for (std::size_t i = kPlaces; i < kTries; ++i) {
    EXPECT_EQ(answers[i].wait_for(std::chrono::seconds(0)), std::future_status::ready) << i;
  }
  release.set_value();
  for (std::size_t i = 0; i < kTries; ++i) {
    const auto answer = answers[i].get();
    EXPECT_EQ(answer.has_value(), i < kPlaces) << i;
    if (!answer) {
      expect_refused(answer.error());
    }
  }
  submit();
  EXPECT_TRUE(answers.back().get().has_value());
}

raft::StorageBatch batch_of(std::uint64_t number) {
  return {.number = number,
          .hard_state = raft::HardState{.term = raft::Term(1), .voted_for = {}},
          .installed = {},
          .entries = {{.index = raft::Index(number),
                       .term = raft::Term(1),
                       .kind = raft::EntryKind::command,
                       .data = base::Payload("entry " + std::to_string(number))}}};
}

std::expected<wal::Log::Opened, wal::OpenError> open_log(wal::FileSystem& disk, const std::string& folder,
                                                         std::uint64_t seed) {
  return wal::Log::open(disk, folder, {.segment_size_bytes = 256UL * 1024, .seed = seed});
}

// The disk hangs in a sync. What no longer fits is left with the core loop, which offers it again.
TEST(FullDiskQueue, IsBoundedAndEverythingThatItTookIsStoredInOrder) {
  constexpr std::uint64_t kManyBatches = 20'000;
  const TemporaryFolder folder;
  StallingDisk disk;
  std::uint64_t number = 1;
  {
    auto opened = open_log(disk, folder.path() + "/log", 1);
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    std::atomic<std::uint64_t> stored{0};
    DiskWriter writer(
        opened->log, [&stored](std::uint64_t last) { stored = last; },
        [](const std::string& what) { ADD_FAILURE() << what; });
    disk.set_stalled(true);
    raft::StorageBatch batch = batch_of(number);
    while (number < kManyBatches && writer.store(batch)) {
      batch = batch_of(++number);
    }
    disk.set_stalled(false);
    ASSERT_LT(number, kManyBatches) << "the queue has no bound";
    EXPECT_EQ(batch, batch_of(number)) << "what was refused is untouched";
    ASSERT_TRUE(wait_until([&] { return stored == number - 1; })) << stored;
    EXPECT_TRUE(writer.store(batch));
    ASSERT_TRUE(wait_until([&] { return stored == number; })) << stored;
    writer.stop();
  }
  auto again = open_log(disk, folder.path() + "/log", 2);
  ASSERT_TRUE(again.has_value()) << again.error().describe();
  EXPECT_EQ(again->recovered.log.last, raft::Index(number));
  const auto last = again->log.read(raft::Index(number), 1);
  ASSERT_TRUE(last && !last->empty());
  EXPECT_EQ(last->front().data, batch_of(number).entries.front().data);
}

// The fetcher waits for the core, which does not take what it has read.
TEST(FullFetchQueue, IsBoundedAndEverythingThatItTookIsRead) {
  constexpr std::size_t kManyFetches = 10'000;
  const TemporaryFolder folder;
  const auto disk = wal::make_posix_file_system();
  auto opened = open_log(*disk, folder.path() + "/log", 1);
  ASSERT_TRUE(opened.has_value()) << opened.error().describe();
  ASSERT_TRUE(opened->log.append(batch_of(1)));
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<std::size_t> fetched{0};
  std::size_t taken = 0;
  LogFetcher fetcher(
      opened->log,
      [&](const raft::FetchRequest&, const std::vector<raft::Entry>& entries) {
        EXPECT_EQ(entries.size(), 1U);
        released.wait();
        ++fetched;
      },
      [](const std::string& what) { ADD_FAILURE() << what; });
  raft::FetchRequest request{.peer = {}, .first = raft::Index(1), .max_size_bytes = 1'000};
  while (taken < kManyFetches && fetcher.fetch(request)) {
    ++taken;
  }
  release.set_value();
  ASSERT_LT(taken, kManyFetches) << "the queue has no bound";
  EXPECT_EQ(request.first, raft::Index(1)) << "what was refused is untouched";
  ASSERT_TRUE(wait_until([&] { return fetched == taken; })) << fetched;
  EXPECT_TRUE(fetcher.fetch(request));
  EXPECT_TRUE(wait_until([&] { return fetched == taken + 1; })) << fetched;
}

}  // namespace
}  // namespace parley::node::testing
