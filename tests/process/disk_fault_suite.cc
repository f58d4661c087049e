// J2, J3 and J19 against real processes: syncs of the log that fail or stall, power that fails, and a state
// without room. The faults come from outside: a library in front of the C library, and a small tmpfs.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "tests/process/cluster.h"
#include "tests/process/node_faults.h"
#include "tests/process/small_disk.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Spans pages of its own in the log: a later batch does not write them again by chance.
const std::string kLargeBody(16'384, 'x');

std::vector<std::string> bodies(const std::vector<Acknowledged>& messages) {
  std::vector<std::string> bodies;
  for (const Acknowledged& message : messages) {
    bodies.push_back(message.body);
  }
  return bodies;
}

class DiskFaultSuite : public ::testing::Test {
 protected:
  [[nodiscard]] NodeFaults& faults(int node) { return faults_[static_cast<std::size_t>(node - 1)]; }

  void sign_up_ann() { ann_ = sign_up(*cluster_.client(), "ann"); }
  [[nodiscard]] std::unique_ptr<client::Client> at(const std::vector<int>& nodes) {
    auto client = cluster_.client(nodes);
    client->set_token(ann_);
    return client;
  }
  // Inbox of ann as this node has applied it.
  [[nodiscard]] std::vector<std::string> stale_inbox(int node) {
    v1::ListMessagesRequest list;
    list.set_stale(true);
    const auto answer = at({node})->list_messages(list);
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    std::vector<std::string> inbox;
    for (const v1::Message& message : answer.value_or(v1::ListMessagesResponse()).messages()) {
      inbox.push_back(message.body());
    }
    return inbox;
  }
  // Sends X while `other` is frozen and the syncs of `victim` do as told, kills `victim`, and starts it again
  // with a disk that works: the leader then has its majority, and X is acknowledged. Then the power fails at
  // `victim`, and the leader is gone for good.
  void run_j2(LogSync sync);

  std::vector<NodeFaults> faults_{3};
  Cluster cluster_{with_faults({.nodes = 3}, faults_)};
  std::string ann_;
};

void DiskFaultSuite::run_j2(LogSync sync) {
  const int leader = cluster_.wait_for_leader();
  const int victim = cluster_.all_but(leader)[0];
  const int other = cluster_.all_but(leader)[1];
  sign_up_ann();
  cluster_.wait_until_applied(cluster_.ids(), send_note(*at({leader}), "ann", "before"));
  cluster_.freeze(other);
  faults(victim).set_log_sync(sync);
  std::uint64_t position = 0;
  std::jthread sender(
      [&, client = at({leader, victim})] { position = send_note(*client, "ann", kLargeBody); });
  if (sync == LogSync::stalls) {
    ASSERT_TRUE(wait_until([&] { return faults(victim).is_stalled(); }));
    cluster_.stop(victim, SIGKILL);
  } else {
    ASSERT_TRUE(wait_until([&] { return !cluster_.is_running(victim); })) << "it ends itself";
    EXPECT_THAT(cluster_.log(victim), HasSubstr("fdatasync"));
  }
  faults(victim).set_log_sync(LogSync::works);
  cluster_.start(victim);
  sender.join();
  ASSERT_NE(position, 0U) << "acknowledged by the leader and who came back";

  cluster_.stop(victim, SIGKILL);
  [[maybe_unused]] const int pages = faults(victim).lose_power(cluster_.data_folder(victim));
  cluster_.stop(leader, SIGKILL);
  cluster_.thaw(other);
  cluster_.start(victim);
  cluster_.wait_for_leader_among({victim, other});
  for (const int node : {victim, other}) {
    EXPECT_EQ(bodies(inbox_of(cluster_, {node}, ann_)), (std::vector<std::string>{"before", kLargeBody}))
        << "node " << node;
  }
}

TEST_F(DiskFaultSuite, J02_KilledBetweenWriteAndSyncThenThePowerFails) { run_j2(LogSync::stalls); }

TEST_F(DiskFaultSuite, J02_ASyncThatFailedThenARestartWhoseSyncWritesNothing) { run_j2(LogSync::fails); }

TEST_F(DiskFaultSuite, J02_TheLeadersSyncFailsAndNothingIsLost) {
  const int leader = cluster_.wait_for_leader();
  Talk talk(cluster_, "bob", "carl");
  talk.wait_for_more(20);
  faults(leader).set_log_sync(LogSync::fails);
  ASSERT_TRUE(wait_until([&] { return !cluster_.is_running(leader); })) << "it ends itself";
  EXPECT_THAT(cluster_.log(leader), HasSubstr("fdatasync"));
  talk.wait_for_more(20);
  [[maybe_unused]] const int pages = faults(leader).lose_power(cluster_.data_folder(leader));
  faults(leader).set_log_sync(LogSync::works);
  cluster_.start(leader);
  cluster_.wait_for_leader();
  talk.wait_for_more(5);
  talk.finish();
  EXPECT_THAT(talk.complaints(), IsEmpty());
  for (const int node : cluster_.ids()) {
    EXPECT_EQ(inbox_of(cluster_, {node}, talk.recipient_token()), talk.acknowledged()) << "node " << node;
  }
}

// The followers commit what the leader has sent them and not yet stored; the leader does not apply it.
// Killed, it comes back without it and takes it from them.
TEST_F(DiskFaultSuite, J03_ALeaderAppliesNothingThatItHasNotStored) {
  const int leader = cluster_.wait_for_leader();
  sign_up_ann();
  cluster_.wait_until_applied(cluster_.ids(), send_note(*at({leader}), "ann", "before"));
  faults(leader).set_log_sync(LogSync::stalls);
  const std::uint64_t position = send_note(*at(cluster_.all_but(leader)), "ann", "by the others");
  ASSERT_NE(position, 0U);
  cluster_.wait_until_applied(cluster_.all_but(leader), position);
  EXPECT_TRUE(wait_until([&] { return faults(leader).is_stalled(); }));
  EXPECT_EQ(stale_inbox(leader), std::vector<std::string>{"before"});
  cluster_.stop(leader, SIGKILL);
  {
    SQLite::Database state((cluster_.data_folder(leader) / "state.db").string(), SQLite::OPEN_READWRITE);
    EXPECT_LT(state.execAndGet("SELECT applied FROM state").getInt64(), static_cast<std::int64_t>(position));
  }
  EXPECT_GT(faults(leader).lose_power(cluster_.data_folder(leader)), 0);
  faults(leader).set_log_sync(LogSync::works);
  cluster_.start(leader);
  cluster_.wait_for_leader();
  for (const int node : cluster_.ids()) {
    EXPECT_EQ(bodies(inbox_of(cluster_, {node}, ann_)), (std::vector<std::string>{"before", "by the others"}))
        << "node " << node;
  }
}

// How old a stale answer of this client's node says that it is.
std::uint32_t stale_age_ms(client::Client& here) {
  v1::ListMessagesRequest list;
  list.set_stale(true);
  list.set_newest_first(true);
  const auto stale = here.list_messages(list);
  EXPECT_TRUE(stale.has_value()) << stale.error().message;
  EXPECT_GT(stale.value_or(v1::ListMessagesResponse()).messages_size(), 0);
  EXPECT_TRUE(!stale || stale->as_of().has_age_ms());
  return stale.value_or(v1::ListMessagesResponse()).as_of().age_ms();
}

// A node whose state cannot be written goes on serving stale reads that say their age, and takes all else to
// the leader. False: it could be written once more meanwhile, and nothing was shown.
bool serves_while_full(const Cluster& cluster, int full, const Talk& talk) {
  const auto here = cluster.client({full});
  here->set_token(talk.recipient_token());
  // Older than what a linearizable answer can be, however busy the machine is.
  EXPECT_TRUE(wait_until([&] { return stale_age_ms(*here) > 5'000; })) << "a stale answer gets older";
  const std::uint32_t age_ms = stale_age_ms(*here);
  // It still takes writes, to the leader.
  EXPECT_NE(send_note(*here, "ann", "through the full node"), 0U);
  // What is acknowledged anywhere is there for who asks it, and is not old.
  const std::uint64_t acknowledged = talk.count();
  EXPECT_GE(inbox_of(*here).size(), acknowledged);
  const auto page = here->list_messages(v1::ListMessagesRequest());
  EXPECT_TRUE(page.has_value()) << page.error().message;
  EXPECT_LT(page.value_or(v1::ListMessagesResponse()).as_of().age_ms(), age_ms);
  // A log-in, and what a session does that the full node's state has never heard of.
  v1::LogInRequest log_in;
  log_in.set_name("bob");
  log_in.set_password("correct horse");
  const auto outcome = cluster.client({full})->log_in(log_in);
  const auto* const session = std::get_if<client::Done<v1::LogInResponse>>(&outcome);
  EXPECT_NE(session, nullptr);
  const auto anew = cluster.client({full});
  anew->set_token(session == nullptr ? "" : session->answer.token());
  EXPECT_NE(send_note(*anew, "ann", "by a session that the full node does not know"), 0U);
  EXPECT_GE(inbox_of(*anew).size(), acknowledged);
  return stale_age_ms(*here) > age_ms;
}

// The leader's state.db runs full, its log does not: another leads, nothing is lost, nothing differs, and the
// full node comes back when there is room again.
TEST(SmallDiskSuite, J19_TheLeadersStateIsFull) {
  Cluster cluster({.nodes = 3, .start_now = false});
  std::vector<std::unique_ptr<SmallDisk>> disks;
  for (const int node : cluster.ids()) {
    disks.push_back(std::make_unique<SmallDisk>(cluster.data_folder(node)));
  }
  cluster.start_all();
  const int full = cluster.wait_for_leader();
  Talk talk(cluster, "ann", "bob");
  talk.wait_for_more(50);
  SmallDisk& disk = *disks[static_cast<std::size_t>(full - 1)];
  disk.fill();
  ASSERT_TRUE(wait_until([&] { return cluster.log(full).contains("cannot apply"); })) << cluster.log(full);
  EXPECT_TRUE(wait_until([&] { return cluster.wait_for_leader() != full; })) << "another one leads";
  talk.wait_for_more(50);
  EXPECT_TRUE(cluster.is_running(full));
  // Opened anew, SQLite writes once more over what its log holds already: full for good is only what follows.
  bool is_shown = false;
  for (int times = 1; times <= 10 && !is_shown && !HasFailure(); ++times) {
    disk.fill();
    is_shown = serves_while_full(cluster, full, talk);
  }
  EXPECT_TRUE(is_shown) << "all the while it was full";

  disk.make_room();
  talk.wait_for_more(20);
  talk.finish();
  EXPECT_THAT(talk.complaints(), IsEmpty());
  fmt::print("the leader's state is full: longest gap {} ms\n", talk.longest_gap().count());
  EXPECT_LT(talk.longest_gap(), std::chrono::seconds(30));  // other tests run beside it
  cluster.wait_until_applied(cluster.ids(), talk.acknowledged().back().id);
  for (const int node : cluster.ids()) {
    EXPECT_EQ(inbox_of(cluster, {node}, talk.recipient_token()), talk.acknowledged()) << "node " << node;
  }
  EXPECT_THAT(cluster.log(full), Not(HasSubstr("panic")));
}

}  // namespace
}  // namespace parley::testing
