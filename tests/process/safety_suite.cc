// The rules of safety against real processes: must-pass.md J, the lines that need whole programs. Each test
// names its line.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/process/cluster.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::HasSubstr;

using Sent = client::Done<v1::SendMessageResponse>;

// J1: A acknowledges X on {A, C}, B lags; C's disk is wiped and C starts again with the same command line.
TEST(SafetySuite, J01_AWipedVoterDoesNotVote) {
  Cluster cluster(3);
  const int a = cluster.wait_for_leader();
  const int b = cluster.all_but(a)[0];
  const int c = cluster.all_but(a)[1];
  const auto client = cluster.client({a});
  const std::string ann = sign_up(*client, "ann");
  client->set_token(ann);
  cluster.freeze(b);
  ASSERT_NE(send_note(*client, "ann", "X"), 0U);
  cluster.stop(c, SIGKILL);
  cluster.wipe(c);
  cluster.stop(a, SIGKILL);
  cluster.thaw(b);
  cluster.start(c);
  // C says that it waits to be taken in, and B has no majority without its vote.
  ASSERT_TRUE(wait_until([&] { return cluster.log(c).contains("waiting to be taken in"); }))
      << cluster.log(c);
  const auto there = cluster.client({b, c});
  there->set_token(ann);
  v1::SendMessageRequest note;
  note.set_recipient("ann");
  note.set_body("Y");
  EXPECT_FALSE(std::holds_alternative<Sent>(there->send_message(note, {.timeout = std::chrono::seconds(6)})));
  // With A back, X is there.
  cluster.start(a);
  const int leader = cluster.wait_for_leader_among({a, b});
  EXPECT_NE(leader, c);
  const auto messages = inbox_of(cluster, {a, b}, ann);
  ASSERT_FALSE(messages.empty());
  EXPECT_EQ(messages.front().body, "X");
}

// J1: one node missing: everybody waits, and says for whom.
TEST(SafetySuite, J01_OneNodeMissingEverybodyWaitsAndSaysForWhom) {
  Cluster cluster({.nodes = 3, .start_now = false});
  cluster.start(1);
  cluster.start(2);
  ASSERT_TRUE(wait_until([&] { return cluster.log(1).contains("waiting for node 3"); })) << cluster.log(1);
  EXPECT_FALSE(cluster.log(1).contains(" leads")) << cluster.log(1);
  cluster.start(3);
  cluster.wait_for_leader();
}

// J1: lists that differ are refused, and named: at both ends an operator reads which node has which list.
TEST(SafetySuite, J01_ListsThatDifferAreRefused) {
  Cluster cluster({.nodes = 3, .start_now = false});
  cluster.start(1);
  cluster.start(2);
  cluster.start_with_other_list(3);
  const std::string list = cluster.members_list({1, 2, 3});
  const std::string other_list = cluster.members_list({2, 3});
  const auto says = [&](int node, const std::string& what) { return cluster.log(node).contains(what); };
  for (const int node : {1, 2}) {
    // The one that is called refuses, and its reason reaches the caller.
    const std::string refused = fmt::format(
        "the --cluster lists differ: node 3 has \"{}\", node {} has \"{}\"", other_list, node, list);
    EXPECT_TRUE(wait_until([&] { return says(node, "not taken in by node 3: " + refused); }))
        << cluster.log(node);
    EXPECT_TRUE(wait_until([&] { return says(3, "is refused: " + refused); })) << cluster.log(3);
  }
  // Of several that refuse a node, it names one.
  const auto says_by_whom = [&](int by) {
    return says(
        3, fmt::format("not taken in by node {0}: the --cluster lists differ: node {0} has \"{1}\", node 3 "
                       "has \"{2}\"",
                       by, list, other_list));
  };
  EXPECT_TRUE(wait_until([&] { return says_by_whom(1) || says_by_whom(2); })) << cluster.log(3);
  for (const int node : cluster.ids()) {
    EXPECT_TRUE(cluster.is_running(node)) << "node " << node;
    EXPECT_FALSE(says(node, " leads")) << cluster.log(node);
  }
  // Started as it should be, it is taken in.
  cluster.stop(3, SIGTERM);
  cluster.start(3);
  cluster.wait_for_leader();
}

// J4: logged out at one node, the token used at another in the next moment.
TEST(SafetySuite, J04_ATokenThatWasLoggedOutIsRefusedEverywhereAtOnce) {
  Cluster cluster(3);
  cluster.wait_for_leader();
  const auto everywhere = cluster.client();
  [[maybe_unused]] const std::string ann = sign_up(*everywhere, "ann");
  for (int round = 0; round < 10; ++round) {
    v1::LogInRequest log_in;
    log_in.set_name("ann");
    log_in.set_password("correct horse");
    const auto session = everywhere->log_in(log_in);
    ASSERT_TRUE(std::holds_alternative<client::Done<v1::LogInResponse>>(session));
    const std::string token = std::get<client::Done<v1::LogInResponse>>(session).answer.token();
    const auto here = cluster.client({1 + round % 3});
    const auto there = cluster.client({1 + (round + 1) % 3});
    here->set_token(token);
    there->set_token(token);
    // Good on another node at once (I).
    ASSERT_TRUE(there->list_messages({}).has_value());
    ASSERT_TRUE(std::holds_alternative<client::Done<v1::LogOutResponse>>(here->log_out({})));
    const auto read = there->list_messages({});
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(base::to_string(read.error().code), "UNAUTHENTICATED");
    v1::SendMessageRequest note;
    note.set_recipient("ann");
    note.set_body("after");
    const auto write = there->send_message(note);
    ASSERT_TRUE(std::holds_alternative<client::Refused>(write));
    EXPECT_EQ(base::to_string(std::get<client::Refused>(write).error.code), "UNAUTHENTICATED");
  }
}

// J4: two changes of one password racing each other: one winner.
TEST(SafetySuite, J04_TwoChangesOfAPasswordHaveOneWinner) {
  Cluster cluster(3);
  cluster.wait_for_leader();
  const auto everywhere = cluster.client();
  for (int round = 0; round < 5; ++round) {
    const std::string name = fmt::format("ann{}", round);
    const std::string token = sign_up(*everywhere, name);
    std::vector<int> done(3, 0);
    {
      std::vector<std::jthread> racers;
      for (int racer = 0; racer < 3; ++racer) {
        racers.emplace_back([&, racer] {
          const auto client = cluster.client({1 + racer});
          client->set_token(token);
          v1::ChangePasswordRequest change;
          change.set_password("correct horse");
          change.set_new_password(fmt::format("password of racer {}", racer));
          done[static_cast<std::size_t>(racer)] =
              std::holds_alternative<client::Done<v1::ChangePasswordResponse>>(
                  client->change_password(change))
                  ? 1
                  : 0;
        });
      }
    }
    EXPECT_EQ(done[0] + done[1] + done[2], 1) << "round " << round;
    for (int racer = 0; racer < 3; ++racer) {
      v1::LogInRequest log_in;
      log_in.set_name(name);
      log_in.set_password(fmt::format("password of racer {}", racer));
      EXPECT_EQ(std::holds_alternative<client::Done<v1::LogInResponse>>(everywhere->log_in(log_in)) ? 1 : 0,
                done[static_cast<std::size_t>(racer)]);
    }
  }
}

// J4: log-ins with the old password racing its change: whatever they opened is ended once the change is done,
// and afterwards the old password opens nothing.
TEST(SafetySuite, J04_ALogInRacingAChangeOfPasswordOpensNothingThatLasts) {
  Cluster cluster(3);
  cluster.wait_for_leader();
  const auto everywhere = cluster.client();
  for (int round = 0; round < 3; ++round) {
    v1::LogInRequest log_in;
    log_in.set_name(fmt::format("ann{}", round));
    log_in.set_password("correct horse");
    const std::string token = sign_up(*everywhere, log_in.name());
    std::vector<std::vector<std::string>> opened(3);  // tokens, by node
    std::atomic<int> tries = 0;
    std::atomic<bool> is_changed = false;
    {
      std::vector<std::jthread> racers;
      for (std::size_t racer = 0; racer < opened.size(); ++racer) {
        racers.emplace_back([&, racer] {
          const auto client = cluster.client({static_cast<int>(racer) + 1});
          bool was_changed = false;
          // Far fewer than 20 in all: the changer's own session must not go as the oldest, and a log-in that
          // the client tries again may open two.
          for (int number = 1; !was_changed; ++number) {
            if (number > 3) {
              EXPECT_TRUE(wait_until([&] { return is_changed.load(); }, std::chrono::minutes(2)));
            }
            was_changed =
                is_changed || number > 3;  // then this is the last try, begun after the change was done
            const auto outcome = client->log_in(log_in);
            const auto* const done = std::get_if<client::Done<v1::LogInResponse>>(&outcome);
            EXPECT_FALSE(was_changed && done != nullptr) << "the old password opened a session";
            if (done != nullptr) {
              opened[racer].push_back(done->answer.token());
            }
            ++tries;
          }
        });
      }
      EXPECT_TRUE(wait_until([&] { return tries >= 3; }));
      const auto changer = cluster.client({1 + round % 3});
      changer->set_token(token);
      v1::ChangePasswordRequest change;
      change.set_password("correct horse");
      change.set_new_password("battery staple");
      const auto outcome = changer->change_password(change);
      if (const auto* const refused = std::get_if<client::Refused>(&outcome)) {
        ADD_FAILURE() << refused->error.message;
      } else if (const auto* const unknown = std::get_if<client::Unknown>(&outcome)) {
        ADD_FAILURE() << "unknown: " << unknown->error.message;
      }
      is_changed = true;
    }
    std::size_t sessions = 0;
    for (const auto& tokens : opened) {
      for (const std::string& old : tokens) {
        ++sessions;
        everywhere->set_token(old);
        const auto read = everywhere->list_messages({});
        ASSERT_FALSE(read.has_value()) << "a session of the old password lives";
        EXPECT_EQ(base::to_string(read.error().code), "UNAUTHENTICATED");
      }
    }
    EXPECT_GT(sessions, 0U);
  }
}

// By then, as this node has applied it, the account deleted at `deleted_at` has left nothing.
std::uint64_t position_without_rows(const Cluster& cluster, int node, std::uint64_t deleted_at) {
  SQLite::Database state((cluster.data_folder(node) / "state.db").string(), SQLite::OPEN_READONLY, 10'000);
  std::uint64_t swept_at = 0;
  EXPECT_TRUE(wait_until(
      [&] {
        // In one statement: of one moment.
        SQLite::Statement look(state,
                               "SELECT (SELECT applied FROM state), "
                               "(SELECT count(*) FROM message WHERE body = 'to be deleted')");
        EXPECT_TRUE(look.executeStep());
        swept_at = static_cast<std::uint64_t>(look.getColumn(0).getInt64());
        return look.getColumn(1).getInt() == 0 && swept_at >= deleted_at;
      },
      std::chrono::minutes(2)));
  return swept_at;
}

// Fills an account's inbox, deletes it, and returns how many sends of others were done between the steps in
// which its rows go.
std::uint64_t sends_while_an_account_is_swept(Cluster& cluster, const std::string& dan, int round) {
  constexpr int kSenders = 16;
  constexpr int kMessages = 4'000;
  constexpr int kRowsOfACommand = 500;
  const int leader = cluster.wait_for_leader();
  const auto everywhere = cluster.client();
  const std::string name = fmt::format("eve{}", round);
  const std::string eve = sign_up(*everywhere, name);
  {
    std::vector<std::jthread> senders;
    for (int sender = 0; sender < kSenders; ++sender) {
      senders.emplace_back([&] {
        const auto client = cluster.client({leader});
        client->set_token(dan);
        for (int i = 0; i < kMessages / kSenders; ++i) {
          EXPECT_NE(send_note(*client, name, "to be deleted"), 0U);
        }
      });
    }
  }
  Talk talk(cluster, fmt::format("ann{}", round), fmt::format("bob{}", round));
  talk.wait_for_more(5);
  everywhere->set_token(eve);
  v1::DeleteAccountRequest gone;
  gone.set_password("correct horse");
  const auto outcome = everywhere->delete_account(gone);
  const auto* const done = std::get_if<client::Done<v1::DeleteAccountResponse>>(&outcome);
  if (done == nullptr) {
    ADD_FAILURE() << "the account is not deleted";
    return 0;
  }
  const auto deleted_at = done->answer.position();
  everywhere->set_token(dan);
  EXPECT_EQ(inbox_of(*everywhere).size(), 0U);
  const std::uint64_t swept_at = position_without_rows(cluster, leader, deleted_at);
  talk.wait_for_more(5);
  talk.finish();
  EXPECT_THAT(talk.complaints(), ::testing::IsEmpty());
  const auto meanwhile =
      static_cast<std::uint64_t>(std::ranges::count_if(talk.acknowledged(), [&](const Acknowledged& message) {
        return message.id > deleted_at && message.id <= swept_at;
      }));
  fmt::print("{} messages were deleted within {} entries, {} of them sends of others\n", kMessages,
             swept_at - deleted_at, meanwhile);
  // At least so many entries; what the talk sent meanwhile does not count.
  EXPECT_GE(swept_at - deleted_at - meanwhile, std::uint64_t{kMessages / kRowsOfACommand});
  return meanwhile;
}

// J9: an account with many received messages is deleted: they are gone for both parties at once, the rows go
// in steps of at most 500, and others' sends go on in between.
TEST(SafetySuite, J09_AnAccountWithManyMessagesIsDeletedInSteps) {
  Cluster cluster(3);
  cluster.wait_for_leader();
  const std::string dan = sign_up(*cluster.client(), "dan");
  bool others_went_on = false;
  // The steps are few: on a busy machine they can be done before anybody else gets to send.
  for (int round = 1; round <= 4 && !others_went_on && !HasFailure(); ++round) {
    others_went_on = sends_while_an_account_is_swept(cluster, dan, round) > 0;
  }
  EXPECT_TRUE(others_went_on);
}

// J17: one flipped bit in the middle of the log: the node stops, and names the file. The others go on.
TEST(SafetySuite, J17_AFlippedBitInTheLogStopsTheNodeWhichNamesTheFile) {
  Cluster cluster(3);
  const int leader = cluster.wait_for_leader();
  const auto client = cluster.client();
  client->set_token(sign_up(*client, "ann"));
  std::uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    last = send_note(*client, "ann", fmt::format("a body to be damaged {}", i));
    ASSERT_NE(last, 0U);
  }
  const int victim = cluster.all_but(leader)[0];
  cluster.wait_until_applied({victim}, last);
  cluster.stop(victim, SIGTERM);
  std::filesystem::path damaged;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster.data_folder(victim))) {
    if (!entry.is_regular_file() || entry.path().filename().string().starts_with("state.db")) {
      continue;
    }
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (const auto at = bytes.find("a body to be damaged 20"); at != std::string::npos) {
      file.clear();
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(bytes[at] ^ 1));
      damaged = entry.path();
    }
  }
  ASSERT_FALSE(damaged.empty()) << "the log holds the body";
  cluster.start(victim);
  ASSERT_TRUE(wait_until([&] { return !cluster.is_running(victim); })) << cluster.log(victim);
  EXPECT_THAT(cluster.log(victim), HasSubstr(damaged.filename().string()));
  EXPECT_NE(send_note(*client, "ann", "the others go on"), 0U);
}

// J20: all addresses change between a stop and a start: the cluster meets again and finds every message.
TEST(SafetySuite, J20_AllAddressesChangeAndEveryMessageIsFound) {
  Cluster cluster(5);
  cluster.wait_for_leader();
  const std::string ann = sign_up(*cluster.client(), "ann");
  {
    const auto client = cluster.client();
    client->set_token(ann);
    for (int i = 0; i < 20; ++i) {
      ASSERT_NE(send_note(*client, "ann", fmt::format("message {}", i)), 0U);
    }
  }
  const auto before = inbox_of(cluster, {}, ann);
  cluster.stop_all(SIGTERM);
  cluster.change_all_addresses();
  cluster.start_all();
  cluster.wait_for_leader();
  for (const int node : cluster.ids()) {
    EXPECT_EQ(inbox_of(cluster, {node}, ann), before) << "node " << node;
  }
  EXPECT_EQ(before.size(), 20U);
}

}  // namespace
}  // namespace parley::testing
