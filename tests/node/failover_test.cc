// Nodes are killed, cut off and filled up under load: nothing acknowledged is lost or doubled, and every node
// shows one order. The names say which line of the safety list each test is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "tests/node/cluster.h"
#include "tests/node/collector.h"
#include "tests/node/failing_vfs.h"
#include "tests/node/load.h"
#include "tests/node/stalling_disk.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Replica*> replicas(TestCluster& cluster) {
  std::vector<Replica*> nodes;
  for (std::uint32_t id = 1; id <= cluster.size(); ++id) {
    nodes.push_back(&cluster.node(id));
  }
  return nodes;
}

// What is wrong with `inbox`, as the history of what the clients were told: every acknowledged message once,
// each client's in its own order.
std::vector<std::string> problems_of(const std::vector<std::string>& inbox,
                                     const std::vector<ClientHistory>& histories) {
  std::vector<std::string> problems;
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < inbox.size(); ++i) {
    if (!place.emplace(inbox[i], i).second) {
      problems.push_back(inbox[i] + " is there twice");
    }
  }
  for (const ClientHistory& history : histories) {
    std::size_t before = 0;
    for (const std::string& body : history.acknowledged) {
      const auto found = place.find(body);
      if (found == place.end()) {
        problems.push_back(body + " was acknowledged and is lost");
        continue;
      }
      if (found->second < before) {
        problems.push_back(body + " is out of order");
      }
      before = found->second;
    }
  }
  return problems;
}

void expect_exactly_once(TestCluster& cluster, const Load& load, const TestUser& user) {
  const std::vector<std::string> inbox = cluster.inbox(1, ReadMode::linearizable, user);
  EXPECT_THAT(problems_of(inbox, load.histories()), IsEmpty());
  for (std::uint32_t id = 2; id <= cluster.size(); ++id) {
    EXPECT_EQ(cluster.inbox(id, ReadMode::linearizable, user), inbox)
        << "node " << id << " shows another history";
  }
}

std::uint64_t count_messages(chat::Reader& reader, chat::AccountId account) {
  std::uint64_t count = 0;
  std::string token;
  do {
    auto page = reader.messages(account, {.page = {.page_size = 500, .page_token = token}});
    if (!page) {
      return 0;
    }
    count += page->items.size();
    token = page->next_page_token;
  } while (!token.empty());
  return count;
}

void wait_for_more(const Load& load, std::uint64_t more) {
  const std::uint64_t from = load.acknowledged();
  EXPECT_TRUE(wait_until([&] { return load.acknowledged() >= from + more; }))
      << "the cluster takes no writes";
}

// All nodes run and are of the cluster, and a leader leads: a user of theirs.
TestUser begin(TestCluster& cluster) {
  cluster.start_all();
  static_cast<void>(cluster.wait_for_leader());
  const TestUser anna = cluster.make_user(1, "anna");
  cluster.wait_until_equal();
  return anna;
}

// As in use: for tests that wait until it is said.
void say_soon_that_nobody_leads(ReplicaOptions& options) {
  options.limits.no_leader_answer = ReplicaLimits().no_leader_answer;
}

// Nodes that the load is taken from before they are killed, and given back to.
void kill(TestCluster& cluster, Load& load, const std::vector<std::uint32_t>& ids) {
  for (const std::uint32_t id : ids) {
    load.set_node(id - 1, nullptr);
  }
  for (const std::uint32_t id : ids) {
    cluster.kill(id);
  }
}
void start(TestCluster& cluster, Load& load, const std::vector<std::uint32_t>& ids) {
  for (const std::uint32_t id : ids) {
    cluster.start(id);
    load.set_node(id - 1, &cluster.node(id));
  }
}

TEST(Failover, AKilledLeaderUnderLoadLosesAndDoublesNothing) {
  TestCluster cluster(3);
  const TestUser anna = begin(cluster);
  Load load(replicas(cluster), anna, 6);
  for (int round = 0; round < 4; ++round) {
    wait_for_more(load, 200);
    const std::uint32_t leader = cluster.wait_for_leader();
    kill(cluster, load, {leader});
    wait_for_more(load, 200);
    start(cluster, load, {leader});
  }
  wait_for_more(load, 200);
  load.stop();
  cluster.wait_until_equal();
  expect_exactly_once(cluster, load, anna);
}

TEST(Failover, AnyTwoOfFiveMayDie) {
  TestCluster cluster(5);
  const TestUser anna = begin(cluster);
  Load load(replicas(cluster), anna, 6);
  wait_for_more(load, 100);
  const std::uint32_t leader = cluster.wait_for_leader();
  const std::uint32_t other = leader % 5 + 1;
  kill(cluster, load, {leader, other});
  wait_for_more(load, 100);
  start(cluster, load, {leader, other});
  wait_for_more(load, 100);
  load.stop();
  cluster.wait_until_equal();
  expect_exactly_once(cluster, load, anna);
}

TEST(Failover, AllKilledAtOnceAndBack) {
  TestCluster cluster(3);
  const TestUser anna = begin(cluster);
  Load load(replicas(cluster), anna, 4);
  wait_for_more(load, 300);
  kill(cluster, load, {1, 2, 3});
  start(cluster, load, {1, 2, 3});
  wait_for_more(load, 100);
  load.stop();
  expect_exactly_once(cluster, load, anna);
}

TEST(Failover, ALeaderInAMinorityAcknowledgesNothingAndItsWritesHappenOnceOrNever) {
  TestCluster cluster(3, say_soon_that_nobody_leads);
  const TestUser anna = begin(cluster);
  const auto cut_off = cluster.message(anna, anna, "into the void");
  std::uint32_t leader = 0;
  WriteResult result = std::unexpected(base::Error{});
  // Now and then the write comes too late: the leader has stepped down, and refuses. Then nothing happened.
  ASSERT_TRUE(wait_until([&] {
    cluster.network().heal();
    leader = cluster.wait_for_leader();
    EXPECT_TRUE(wait_until([&] { return cluster.node(leader).status().as_of.age_ms.has_value(); }));
    cluster.network().isolate(base::NodeId(leader));
    result = cluster.write(leader, cut_off, std::chrono::seconds(3));
    return result || result.error().outcome == base::Outcome::unknown;
  }));
  ASSERT_FALSE(result);
  const auto linearizable =
      cluster.read(leader, ReadMode::linearizable, [](chat::Reader&) {}, std::chrono::seconds(3));
  EXPECT_FALSE(linearizable) << "a cut off node cannot know what is newest";
  const auto stale = cluster.read(leader, ReadMode::stale, [](chat::Reader&) {});
  ASSERT_TRUE(stale);
  EXPECT_GE(stale->age_ms.value_or(0), 2000U);
  // The majority goes on.
  const std::uint32_t other = cluster.other_than(leader);
  const auto meanwhile = cluster.write_until_known(other, cluster.message(anna, anna, "meanwhile"));
  EXPECT_TRUE(meanwhile && meanwhile->verdict == chat::Verdict::done);
  cluster.network().heal();
  const auto again = cluster.write_until_known(leader, cut_off);
  EXPECT_TRUE(again && again->verdict == chat::Verdict::done);
  cluster.wait_until_equal();
  EXPECT_THAT(cluster.inbox(leader, ReadMode::linearizable, anna), ElementsAre("meanwhile", "into the void"));
}

TEST(Failover, TwoOfThreeDeadStaleReadsWorkAndWritesAreRefused) {
  TestCluster cluster(3, [](ReplicaOptions& options) {
    if (options.id == base::NodeId(1)) {
      say_soon_that_nobody_leads(options);
    }
  });
  const TestUser anna = begin(cluster);
  ASSERT_TRUE(cluster.write_until_known(1, cluster.message(anna, anna, "note")));
  cluster.wait_until_equal();
  cluster.kill(2);
  cluster.kill(3);
  EXPECT_TRUE(wait_until([&] { return !cluster.node(1).status().writable; }));
  EXPECT_THAT(cluster.inbox(1, ReadMode::stale, anna), ElementsAre("note"));
  // Until it has stepped down, a leader takes writes, and their outcome is unknown.
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(1).status().trouble == "no leader: a majority of the nodes cannot be reached";
  }));
  const auto refused = cluster.write(1, cluster.message(anna, anna, "lost?"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::unavailable);
  EXPECT_EQ(refused.error().outcome, base::Outcome::refused);
  cluster.start(2);
  EXPECT_TRUE(cluster.write_until_known(1, cluster.message(anna, anna, "back")));
  EXPECT_THAT(cluster.inbox(2, ReadMode::linearizable, anna), ElementsAre("note", "back"));
}

// J1: A acknowledges X on {A, C}, B lags; C's disk is wiped and C starts again with the same command line.
TEST(Failover, J1AWipedNodeIsRefusedAndNothingIsLost) {
  TestCluster cluster(3);
  const TestUser anna = begin(cluster);
  const std::uint32_t leader = cluster.wait_for_leader();
  const std::uint32_t wiped = leader % 3 + 1;
  const std::uint32_t lagging = 6 - leader - wiped;
  cluster.network().isolate(base::NodeId(lagging));
  ASSERT_TRUE(cluster.write(leader, cluster.message(anna, anna, "X")));
  cluster.kill(wiped);
  cluster.kill(leader);
  cluster.wipe(wiped);
  cluster.network().heal();
  cluster.start(wiped);
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(wiped).status().trouble.find("refused as a voter") != std::string::npos;
  })) << cluster.node(wiped).status().trouble;
  EXPECT_FALSE(cluster.node(lagging).status().is_leader) << "elected by a node that has forgotten X";
  cluster.start(leader);
  EXPECT_TRUE(cluster.write_until_known(lagging, cluster.message(anna, anna, "Y")));
  EXPECT_THAT(cluster.inbox(lagging, ReadMode::linearizable, anna), ElementsAre("X", "Y"));
}

TEST(Failover, J1TheSameWhenOnlyTheLogIsGone) {
  TestCluster cluster(3);
  const TestUser anna = begin(cluster);
  ASSERT_TRUE(cluster.write(1, cluster.message(anna, anna, "X")));
  cluster.wait_until_equal();
  cluster.stop(3);
  cluster.wipe_log(3);
  cluster.start(3);
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(3).status().trouble.find("refused as a voter") != std::string::npos;
  })) << cluster.node(3).status().trouble;
  EXPECT_TRUE(cluster.write_until_known(1, cluster.message(anna, anna, "Y")));
  EXPECT_EQ(cluster.node(3).status().applied_index, 0U);
}

// J1: the founder is wiped after one node has stored entry 1, while the third has not: the wiped one hears
// "no state" from it, and still founds no second cluster.
TEST(Failover, J1TheFounderIsWipedAfterOneNodeHasStoredEntryOne) {
  StallingDisk slow;
  TestCluster cluster(3);
  cluster.set_disk(3, slow);
  cluster.start(2);
  cluster.start(3);
  slow.set_stalled(true);
  cluster.start(1);
  ASSERT_TRUE(wait_until([&] { return !cluster.node(2).status().cluster_id.is_none(); }));
  const base::ClusterId founded = cluster.node(2).status().cluster_id;
  EXPECT_TRUE(cluster.node(3).status().cluster_id.is_none());
  cluster.kill(1);
  cluster.wipe(1);
  cluster.start(1);
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(1).status().trouble.find("refused as a voter") != std::string::npos;
  })) << cluster.node(1).status().trouble;
  slow.set_stalled(false);
  const std::uint32_t leader = cluster.wait_for_leader();
  EXPECT_NE(leader, 1U);
  const TestUser anna = cluster.make_user(2, "anna");
  EXPECT_TRUE(cluster.write_until_known(3, cluster.message(anna, anna, "X")));
  EXPECT_THAT(cluster.inbox(2, ReadMode::linearizable, anna), ElementsAre("X"));
  EXPECT_EQ(cluster.node(3).status().cluster_id, founded);
  EXPECT_TRUE(cluster.node(1).status().cluster_id.is_none());
}

TEST(Failover, J1OneNodeMissingEverybodyWaitsAndSaysForWhom) {
  TestCluster cluster(3);
  cluster.start(1);
  cluster.start(2);
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(1).status().trouble == "the cluster is not founded yet: waiting for node 3" &&
           cluster.node(2).status().trouble == "the cluster is not founded yet: waiting for node 3";
  }));
  cluster.start(3);
  static_cast<void>(cluster.wait_for_leader());
}

TEST(Failover, J1ListsThatDifferFoundNothingAndAreNamed) {
  TestCluster cluster(2);
  auto other = cluster.list();
  other[0].peer_address = "elsewhere:1";
  other[1].peer_address = cluster.address(2);
  cluster.set_list(1, other);
  cluster.start_all();
  EXPECT_TRUE(wait_until([&] {
    return cluster.node(1).status().trouble.find("lists differ") != std::string::npos;
  })) << cluster.node(1).status().trouble;
}

// J20: all addresses change between a stop and a start.
TEST(Failover, J20AClusterWhoseAddressesAllChangedMeetsAgain) {
  TestCluster cluster(3);
  const TestUser anna = begin(cluster);
  ASSERT_TRUE(cluster.write(1, cluster.message(anna, anna, "old address")));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.stop(id);
  }
  cluster.move_all_addresses();
  cluster.start_all();
  EXPECT_TRUE(cluster.write_until_known(2, cluster.message(anna, anna, "new address")));
  EXPECT_THAT(cluster.inbox(3, ReadMode::linearizable, anna), ElementsAre("old address", "new address"));
  EXPECT_TRUE(wait_until([&] {
    for (const PeerView& peer : cluster.node(1).status().nodes) {
      if (peer.peer_address != cluster.address(peer.id.value())) {
        return false;
      }
    }
    return true;
  }));
}

// J4: logged out at one node, token used at another right after.
TEST(Failover, J4ASessionEndedAtOneNodeIsEndedAtAll) {
  TestCluster cluster(3);
  cluster.start_all();
  static_cast<void>(cluster.wait_for_leader());
  cluster.wait_until_equal();
  for (int round = 0; round < 20; ++round) {
    const TestUser user = cluster.make_user(1, "user" + std::to_string(round));
    for (std::uint32_t at = 1; at <= 3; ++at) {
      bool is_known = false;
      ASSERT_TRUE(cluster.read(at, ReadMode::linearizable, [&](chat::Reader& reader) {
        is_known = reader.session(user.session)->has_value();
      }));
      EXPECT_TRUE(is_known) << "a token right after log-in, at node " << at;
    }
    ASSERT_TRUE(cluster.write(
        2, chat::LogOut{.request = cluster.new_request(), .authority = {user.account, user.session}}));
    for (std::uint32_t at = 1; at <= 3; ++at) {
      bool is_known = true;
      ASSERT_TRUE(cluster.read(at, ReadMode::linearizable, [&](chat::Reader& reader) {
        is_known = reader.session(user.session)->has_value();
      }));
      EXPECT_FALSE(is_known) << "node " << at;
    }
    const auto sent = cluster.write(3, cluster.message(user, user, "too late"));
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->verdict, chat::Verdict::session_ended);
  }
}

// J16: the leader's wall clock jumps a year ahead, then two days back: honest clients go on, nobody is logged
// out, and an id of next year stays refused.
TEST(Failover, J16TheLeadersClockJumpsAndHonestClientsGoOn) {
  constexpr std::int64_t kDay_ms = 24LL * 3600 * 1000;
  std::map<std::uint32_t, std::atomic<std::int64_t>> offsets_ms;
  std::map<std::uint32_t, std::atomic<int>> looks;  // at the clock, by its node
  for (std::uint32_t id = 1; id <= 3; ++id) {
    offsets_ms[id] = 0;
    looks[id] = 0;
  }
  TestCluster cluster(3, [&](ReplicaOptions& options) {
    options.wall_clock = [&, id = options.id.value()] {
      const std::int64_t time_ms = unix_ms() + offsets_ms.at(id);
      ++looks.at(id);
      return time_ms;
    };
  });
  cluster.start_all();
  const TestUser anna = cluster.make_user(cluster.wait_for_leader(), "anna");
  std::vector<std::string> sent;
  for (const std::int64_t jump_ms : {365 * kDay_ms, -2 * kDay_ms}) {
    const std::uint32_t leader = cluster.wait_for_leader();
    offsets_ms.at(leader) = jump_ms;
    const int before = looks.at(leader);
    ASSERT_TRUE(wait_until([&] { return looks.at(leader) > before + 2; }));
    for (int i = 0; i < 20; ++i) {
      sent.push_back(std::to_string(jump_ms) + "/" + std::to_string(i));
      const auto result = cluster.write_until_known(leader, cluster.message(anna, anna, sent.back()));
      ASSERT_TRUE(result);
      EXPECT_EQ(result->verdict, chat::Verdict::done) << sent.back();
      EXPECT_LT(std::abs(result->message.sent_at_unix_ms - unix_ms()), kDay_ms) << "one clock of three";
    }
    chat::SendMessage ahead = cluster.message(anna, anna, "of next year");
    ahead.request.id = base::make_request_id(unix_ms() + 365 * kDay_ms, {1, 2, 3});
    const auto refused = cluster.write_until_known(leader, ahead);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->verdict, chat::Verdict::request_id_ahead);
    offsets_ms.at(leader) = 0;
  }
  EXPECT_EQ(cluster.inbox(1, ReadMode::linearizable, anna), sent);
}

// J19, J3: the leader's state.db runs full: another leads, nothing is lost, the full node serves stale reads.
TEST(Failover, J19AFullStateHandsOverAndServesStaleReads) {
  std::map<std::uint32_t, std::unique_ptr<FailingVfs>> disks;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    disks[id] = std::make_unique<FailingVfs>("full-disk-" + std::to_string(id));
  }
  TestCluster cluster(
      3, [&](ReplicaOptions& options) { options.sqlite_vfs = disks.at(options.id.value())->name(); });
  const TestUser anna = begin(cluster);
  std::map<std::uint32_t, std::shared_ptr<Collector>> seen;
  std::vector<std::unique_ptr<Subscription>> watches;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    seen[id] = std::make_shared<Collector>();
    watches.push_back(cluster.node(id).watch(start_of(anna), seen[id]));
    ASSERT_TRUE(wait_until([&] { return seen[id]->heartbeats() > 0; }));
  }
  Load load(replicas(cluster), anna, 4);
  wait_for_more(load, 100);
  const std::uint32_t full = cluster.wait_for_leader();
  disks.at(full)->set_full(true);
  EXPECT_TRUE(wait_until([&] {
    const NodeStatus status = cluster.node(full).status();
    return !status.is_leader && status.trouble.find("cannot apply") != std::string::npos;
  })) << cluster.node(full).status().trouble;
  wait_for_more(load, 200);
  EXPECT_FALSE(cluster.node(full).status().is_leader);
  EXPECT_TRUE(cluster.read(full, ReadMode::stale, [](chat::Reader&) {}));
  const auto linearizable = cluster.read(full, ReadMode::linearizable, [](chat::Reader&) {});
  ASSERT_FALSE(linearizable);
  EXPECT_EQ(linearizable.error().code, base::Code::unavailable);
  // It still forwards writes.
  const auto forwarded = cluster.write(full, cluster.message(anna, anna, "through the full node"));
  EXPECT_TRUE(forwarded && forwarded->verdict == chat::Verdict::done);
  disks.at(full)->set_full(false);
  EXPECT_TRUE(wait_until([&] { return cluster.node(full).status().trouble.empty(); }))
      << cluster.node(full).status().trouble;
  load.stop();
  cluster.wait_until_equal();
  expect_exactly_once(cluster, load, anna);
  // No event twice, none missing, on the full node as on the others.
  const std::vector<std::string> inbox = cluster.inbox(1, ReadMode::linearizable, anna);
  for (const auto& [id, sink] : seen) {
    EXPECT_TRUE(wait_until([&] { return sink->count() >= inbox.size(); })) << "node " << id;
    EXPECT_EQ(sink->bodies(), inbox) << "node " << id;
  }
}

// The checker is proven by planted bugs: the same message applied twice, lost, out of order.
TEST(Failover, ThePlantedApplyTwiceIsCaught) {
  TestCluster cluster(1);
  const TestUser anna = begin(cluster);
  const std::vector<ClientHistory> told = {{.acknowledged = {"0:0", "0:1"}}};
  ASSERT_TRUE(cluster.write(1, cluster.message(anna, anna, "0:0")));
  const auto second = cluster.message(anna, anna, "0:1");
  // With its request_id a retry changes nothing, as often as it comes.
  for (int retry = 0; retry < 3; ++retry) {
    ASSERT_TRUE(cluster.write(1, second));
  }
  EXPECT_THAT(problems_of(cluster.inbox(1, ReadMode::linearizable, anna), told), IsEmpty());
  // The plant: a retry that forgot its request_id.
  auto forgot = second;
  forgot.request = cluster.new_request();
  ASSERT_TRUE(cluster.write(1, forgot));
  EXPECT_THAT(problems_of(cluster.inbox(1, ReadMode::linearizable, anna), told),
              ElementsAre("0:1 is there twice"));
  EXPECT_THAT(problems_of({"0:1"}, told), ElementsAre("0:0 was acknowledged and is lost"));
  EXPECT_THAT(problems_of({"0:1", "0:0"}, told), ElementsAre("0:1 is out of order"));
}

// Reads at every node while leaders die: each sees every message that was acknowledged before it began. The
// count of the reads that did not.
std::uint64_t count_late_reads(TestCluster& cluster, ReadMode mode, std::chrono::milliseconds time,
                               bool with_kills) {
  const TestUser anna = cluster.make_user(cluster.wait_for_leader(), "anna");
  Load load(replicas(cluster), anna, 2);
  wait_for_more(load, 20);
  std::atomic<std::uint64_t> late{0};
  std::atomic<bool> is_over{false};
  std::mutex nodes_mutex;  // held while a node is asked or replaced
  std::vector<Replica*> nodes = replicas(cluster);
  const auto read_on = [&] {
    for (std::size_t round = 0; !is_over; ++round) {
      const std::uint64_t before = load.acknowledged();
      auto promise = std::make_shared<std::promise<std::uint64_t>>();
      auto future = promise->get_future();
      {
        const std::scoped_lock lock(nodes_mutex);
        Replica* node = nodes[round % nodes.size()];
        if (node == nullptr) {
          continue;
        }
        node->read(
            mode, std::chrono::steady_clock::now() + std::chrono::seconds(5),
            [promise, before, account = anna.account](base::Result<chat::Reader*> reader, const AsOf&) {
              // What was not answered says nothing.
              promise->set_value(reader ? count_messages(**reader, account) : before);
            });
      }
      if (future.get() < before) {
        ++late;
      }
    }
  };
  {
    const std::vector<std::jthread> readers = [&] {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 2; ++i) {
        threads.emplace_back(read_on);
      }
      return threads;
    }();
    // One that must come is given longer: on a busy machine the readers may not have had a turn.
    const auto end = std::chrono::steady_clock::now() + time;
    const auto last = end + std::chrono::seconds(mode == ReadMode::stale ? 30 : 0);
    for (auto now = std::chrono::steady_clock::now(); now < end || (late == 0 && now < last);
         now = std::chrono::steady_clock::now()) {
      wait_for_more(load, 30);
      if (!with_kills) {
        continue;
      }
      const std::uint32_t leader = cluster.wait_for_leader();
      load.set_node(leader - 1, nullptr);
      {
        const std::scoped_lock lock(nodes_mutex);
        nodes[leader - 1] = nullptr;
        cluster.kill(leader);
        cluster.start(leader);
        nodes[leader - 1] = &cluster.node(leader);
      }
      load.set_node(leader - 1, &cluster.node(leader));
    }
    is_over = true;
  }
  load.stop();
  return late;
}

TEST(Failover, LinearizableReadsAtEveryNodeSeeWhatWasAcknowledgedBefore) {
  TestCluster cluster(3);
  cluster.start_all();
  static_cast<void>(cluster.wait_for_leader());
  EXPECT_EQ(count_late_reads(cluster, ReadMode::linearizable, std::chrono::seconds(3), true), 0U);
}

// The same check with the barrier left out, on nodes of which one hears nothing: it must complain.
TEST(Failover, ThePlantedStaleReadIsCaught) {
  TestCluster cluster(3, say_soon_that_nobody_leads);
  cluster.start_all();
  const std::uint32_t leader = cluster.wait_for_leader();
  cluster.wait_until_equal();
  cluster.network().isolate(base::NodeId(leader % 3 + 1));
  EXPECT_GT(count_late_reads(cluster, ReadMode::stale, std::chrono::milliseconds(500), false), 0U);
}

// H2, rule 11: the leader sits in fdatasync. It leaves, another leads, nothing is lost, and it may lead again
// later.
TEST(Failover, H2ALeaderWhoseDiskStallsStepsAside) {
  TestCluster cluster(3);
  cluster.use_stalling_disks();
  const TestUser anna = begin(cluster);
  Load load(replicas(cluster), anna, 4);
  wait_for_more(load, 100);
  const std::uint32_t stalled = cluster.wait_for_leader();
  cluster.stalling_disk(stalled).set_stalled(true);
  EXPECT_TRUE(wait_until([&] { return !cluster.node(stalled).status().is_leader; }));
  wait_for_more(load, 200);
  EXPECT_TRUE(wait_until([&] { return cluster.node(stalled).status().trouble.contains("disk is stalled"); }))
      << cluster.node(stalled).status().trouble;
  cluster.stalling_disk(stalled).set_stalled(false);
  EXPECT_TRUE(wait_until([&] { return cluster.node(stalled).status().trouble.empty(); }));
  load.stop();
  cluster.wait_until_equal();
  expect_exactly_once(cluster, load, anna);
}

// J3: the followers commit before the leader's own disk has written; the leader is killed, and has applied
// nothing of it.
TEST(Failover, J3NothingIsAppliedThatIsNotInTheNodesOwnLog) {
  TestCluster cluster(3);
  cluster.use_stalling_disks();
  cluster.start_all();
  const std::uint32_t leader = cluster.wait_for_leader();
  const TestUser anna = cluster.make_user(1, "anna");
  cluster.wait_until_equal();
  cluster.stalling_disk(leader).set_stalled(true);
  const std::uint64_t before = cluster.node(leader).status().applied_index;
  const auto sent = cluster.write(leader, cluster.message(anna, anna, "committed by the others"));
  ASSERT_TRUE(sent) << "the new leader answers it";
  EXPECT_GT(sent->position.value(), before);
  EXPECT_LT(cluster.node(leader).status().applied_index, sent->position.value());
  cluster.stalling_disk(leader).set_stalled(false);
  cluster.kill(leader);
  cluster.start(leader);
  cluster.wait_until_equal();
  EXPECT_THAT(cluster.inbox(leader, ReadMode::linearizable, anna), ElementsAre("committed by the others"));
}

// J2: a failed fdatasync ends the node; what it had acknowledged is on the others, and comes back to it.
TEST(Failover, J2AFailedSyncEndsTheNodeAndLosesNothing) {
  std::atomic<std::uint32_t> ended{0};
  TestCluster cluster(3, [&](ReplicaOptions& options) {
    options.on_fatal = [&ended, id = options.id](const std::string&) { ended = id.value(); };
  });
  cluster.use_stalling_disks();
  const TestUser anna = begin(cluster);
  Load load(replicas(cluster), anna, 4);
  wait_for_more(load, 100);
  const std::uint32_t leader = cluster.wait_for_leader();
  cluster.stalling_disk(leader).fail_syncs();
  EXPECT_TRUE(wait_until([&] { return ended == leader; }));
  kill(cluster, load, {leader});
  wait_for_more(load, 100);
  StallingDisk mended;
  cluster.set_disk(leader, mended);
  start(cluster, load, {leader});
  wait_for_more(load, 100);
  load.stop();
  cluster.wait_until_equal();
  expect_exactly_once(cluster, load, anna);
  cluster.kill(leader);
}

}  // namespace
}  // namespace parley::node::testing
