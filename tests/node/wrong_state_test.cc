// A state file that is not this node's: another cluster's, one that is ahead of the log, an old copy, one
// from before the founding. Put in place while the node is down, or while it waits for its state to be
// mended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "node/node_folder.h"
#include "tests/node/cluster.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

namespace fs = std::filesystem;
using parley::testing::wait_until;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::chrono::milliseconds kReopenAfter{50};

// Everything that was applied is in the one file then.
void gather_into_one_file(const std::string& path) {
  const auto opened = chat::StateMachine::open({.path = path, .vfs = {}});
  ASSERT_TRUE(opened.has_value()) << opened.error().what;
}

// A state of this cluster that has run `applied` entries.
void make_state(const std::string& path, const base::ClusterId& cluster_id, std::uint64_t applied) {
  {
    const auto made = chat::StateMachine::open({.path = path, .vfs = {}});
    ASSERT_TRUE(made.has_value()) << made.error().what;
    chat::StateMachine& state = **made;
    ASSERT_TRUE(state.apply_founding(base::Position(1), cluster_id, std::string(32, 's')));
    for (std::uint64_t position = 2; position <= applied; ++position) {
      ASSERT_TRUE(state.apply_nothing(base::Position(position)));
    }
    ASSERT_TRUE(state.commit());
  }
  gather_into_one_file(path);
}

class WrongState : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.start_all();
    static_cast<void>(cluster_.wait_for_leader());
    anna_ = cluster_.make_user(1, "anna");
    send("ours");
    cluster_id_ = cluster_.node(1).status().cluster_id;
  }
  void send(const std::string& body) {
    const auto sent = cluster_.write_until_known(1, cluster_.message(anna_, anna_, body));
    ASSERT_TRUE(sent && sent->verdict == chat::Verdict::done);
  }
  [[nodiscard]] std::string state() const { return cluster_.folder(1) + "/state.db"; }
  [[nodiscard]] std::vector<std::string> inbox() { return cluster_.inbox(1, ReadMode::linearizable, anna_); }
  // The state of a cluster of its own in which `stranger` has an account, ahead of this one's.
  void make_strangers_state(const std::string& to) {
    TestCluster other(1);
    other.start_all();
    static_cast<void>(other.wait_for_leader());
    const TestUser stranger = other.make_user(1, "stranger");
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(other.write_until_known(1, other.message(stranger, stranger, "theirs")));
    }
    other.stop(1);
    gather_into_one_file(other.folder(1) + "/state.db");
    fs::copy_file(other.folder(1) + "/state.db", to, fs::copy_options::overwrite_existing);
  }
  void stop_and_take_state_away() {
    cluster_.stop(1);
    gather_into_one_file(state());
    remove_state();
  }
  void remove_state() const {
    // What a write-ahead log of another file holds must not be taken for this one's: the database goes last.
    for (const char* suffix : {"-wal", "-shm", ""}) {
      fs::remove(state() + suffix);
    }
  }
  // The node runs, and waits for a state that it can open.
  void start_with_a_state_that_cannot_be_opened() {
    stop_and_take_state_away();
    std::ofstream(state()) << std::string(4096, 'x');
    cluster_.start(1);
    ASSERT_TRUE(wait_until([&] { return !trouble().empty(); }));
  }
  [[nodiscard]] std::string trouble() { return cluster_.node(1).status().trouble; }
  [[nodiscard]] bool comes_to_say(const std::string& what) {
    return wait_until([&] { return trouble().find(what) != std::string::npos; });
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(cluster_.folder(1))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  void expect_not_read() {
    for (const ReadMode mode : {ReadMode::stale, ReadMode::linearizable}) {
      const auto read =
          cluster_.read(1, mode, [](chat::Reader&) { ADD_FAILURE() << "read as if it were ours"; });
      ASSERT_FALSE(read);
      EXPECT_TRUE(is_state_broken(read.error())) << read.error().reason;
    }
  }
  void expect_no_stranger() {
    const auto done = cluster_.read(1, ReadMode::linearizable, [](chat::Reader& reader) {
      EXPECT_FALSE(reader.account("stranger").has_value());
      EXPECT_TRUE(reader.account("anna").has_value());
    });
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }

  TestCluster cluster_{1, [](ReplicaOptions& options) { options.limits.apply.reopen_after = kReopenAfter; }};
  TestUser anna_;
  base::ClusterId cluster_id_;
  TemporaryFolder elsewhere_;
};

TEST_F(WrongState, AtTheStartAnotherClustersIsKeptAsideAndThisOnesIsMadeAgain) {
  const std::string strangers = elsewhere_.path() + "/strangers.db";
  ASSERT_NO_FATAL_FAILURE(make_strangers_state(strangers));
  stop_and_take_state_away();
  fs::copy_file(strangers, state());
  cluster_.start(1);
  EXPECT_THAT(inbox(), ElementsAre("ours"));
  expect_no_stranger();
  EXPECT_TRUE(wait_until([&] { return trouble().empty(); })) << trouble();
  EXPECT_THAT(files(), Contains("state.db.of-another-cluster-0"));
  // The same again, where this cluster is ahead of the other.
  for (int i = 0; i < 40; ++i) {
    send("more");
  }
  stop_and_take_state_away();
  fs::copy_file(strangers, state());
  cluster_.start(1);
  EXPECT_EQ(inbox().size(), 41U);
  expect_no_stranger();
  EXPECT_THAT(files(), Contains("state.db.of-another-cluster-0"));
  EXPECT_THAT(files(), Contains("state.db.of-another-cluster-1"));
  cluster_.stop(1);
  const auto kept = chat::StateMachine::open({.path = state() + ".of-another-cluster-0", .vfs = {}});
  ASSERT_TRUE(kept.has_value()) << kept.error().what;
  EXPECT_NE((*kept)->cluster_id(), cluster_id_);
}

TEST_F(WrongState, PutInPlaceOfABrokenOneAnotherClustersIsNeitherUsedNorRead) {
  const std::string strangers = cluster_.folder(1) + "/state.db.strangers";
  ASSERT_NO_FATAL_FAILURE(make_strangers_state(strangers));
  ASSERT_NO_FATAL_FAILURE(start_with_a_state_that_cannot_be_opened());
  fs::rename(strangers, state());
  ASSERT_TRUE(comes_to_say("another cluster")) << trouble();
  expect_not_read();
  EXPECT_THAT(files(), Contains("state.db")) << "an open database is not renamed";
  remove_state();
  ASSERT_TRUE(wait_until([&] { return trouble().empty(); })) << trouble();
  EXPECT_THAT(inbox(), ElementsAre("ours"));
  expect_no_stranger();
}

TEST_F(WrongState, PutInPlaceOfABrokenOneAStateAheadOfTheLogIsNeitherUsedNorRead) {
  const std::string ahead = cluster_.folder(1) + "/state.db.ahead";
  ASSERT_NO_FATAL_FAILURE(make_state(ahead, cluster_id_, 10'000));
  ASSERT_NO_FATAL_FAILURE(start_with_a_state_that_cannot_be_opened());
  fs::rename(ahead, state());
  ASSERT_TRUE(comes_to_say("has applied entry 10000")) << trouble();
  expect_not_read();
  remove_state();
  ASSERT_TRUE(wait_until([&] { return trouble().empty(); })) << trouble();
  EXPECT_THAT(inbox(), ElementsAre("ours"));
}

TEST_F(WrongState, AStateAheadOfTheLogIsOneOfTwoThatDoNotBelongTogether) {
  stop_and_take_state_away();
  ASSERT_NO_FATAL_FAILURE(make_state(state(), cluster_id_, 10'000));
  const auto files = wal::make_posix_file_system();
  const auto opened =
      open_folder(*files, cluster_.folder(1), {.segment_size_bytes = 256UL * 1024}, {}, base::NodeId(1));
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error(), HasSubstr("do not belong together"));
}

TEST_F(WrongState, AnOldCopyIsBroughtUpToDateFromTheLog) {
  cluster_.stop(1);
  gather_into_one_file(state());
  const std::string old_copy = cluster_.folder(1) + "/state.db.old-copy";
  fs::copy_file(state(), old_copy);
  cluster_.start(1);
  send("since then");
  stop_and_take_state_away();
  fs::copy_file(old_copy, state());
  cluster_.start(1);
  EXPECT_THAT(inbox(), ElementsAre("ours", "since then"));
  // And the same in a node that runs.
  ASSERT_NO_FATAL_FAILURE(start_with_a_state_that_cannot_be_opened());
  fs::rename(old_copy, state());
  ASSERT_TRUE(wait_until([&] { return trouble().empty(); })) << trouble();
  EXPECT_THAT(inbox(), ElementsAre("ours", "since then"));
}

TEST_F(WrongState, OneFromBeforeTheFoundingGoesWithEveryLog) {
  stop_and_take_state_away();
  ASSERT_TRUE(chat::StateMachine::open({.path = state(), .vfs = {}}));
  cluster_.start(1);
  EXPECT_THAT(inbox(), ElementsAre("ours"));
  EXPECT_THAT(files(), Not(Contains(StartsWith("state.db.of-"))));
}

// What is applied is committed to the state's file later: after a kill that is behind the log, as it should
// be.
TEST_F(WrongState, OneThatWasCommittedLazilyIsThisNodesOwn) {
  for (int i = 0; i < 3; ++i) {
    send("before the kill");
    cluster_.kill(1);
    cluster_.start(1);
  }
  EXPECT_EQ(inbox().size(), 4U);
  EXPECT_THAT(files(), Not(Contains(StartsWith("state.db.of-"))));
}

}  // namespace
}  // namespace parley::node::testing
