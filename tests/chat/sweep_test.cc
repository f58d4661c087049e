// Bounded steps (rule 9; must-pass.md J9).
#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "base/limits.h"
#include "tests/chat/chat_world.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Lt;
using testing::User;
using testing::World;

std::multiset<std::string> rows(World& world) {
  std::istringstream lines(world.dumped({"state"}));
  std::multiset<std::string> rows;
  for (std::string line; std::getline(lines, line);) {
    rows.insert(line);
  }
  return rows;
}

// Rows that one command removed, added or changed.
template <class Act>
std::size_t rows_touched(World& world, Act act) {
  const auto before = rows(world);
  act();
  const auto after = rows(world);
  std::vector<std::string> gone;
  std::vector<std::string> come;
  std::ranges::set_difference(before, after, std::back_inserter(gone));
  std::ranges::set_difference(after, before, std::back_inserter(come));
  return std::max(gone.size(), come.size());
}

std::set<AccountId> told_that_gone(const std::vector<SharedEvent>& events, AccountId gone) {
  std::set<AccountId> told;
  for (const SharedEvent& event : events) {
    const auto* what = std::get_if<AccountGone>(&event->what);
    if (what != nullptr && what->account == gone) {
      for (const AccountId account : event->audience) {
        EXPECT_TRUE(told.insert(account).second) << "told twice";
      }
    }
  }
  return told;
}

TEST(Sweep, J9_AnAccountWithManyMessagesIsDeleted) {
  World world;
  const User star = world.create("star");
  std::vector<User> fans;
  for (int i = 0; i < 6; ++i) {
    fans.push_back(world.create("fan" + std::to_string(i)));
  }
  for (int i = 0; i < 2'200; ++i) {
    (void)world.send(fans[static_cast<std::size_t>(i) % fans.size()], star);
  }
  const MessageId kept = world.send(star, fans[0], "kept");
  EXPECT_LE(rows_touched(world, [&] { (void)world.erase_account(star); }), 30U);
  EXPECT_THAT(world.ids(fans[0]), ElementsAre(kept));
  EXPECT_THAT(world.ids(fans[1]), IsEmpty());
  std::size_t sweeps = 0;
  while (world.machine().has_sweep_work()) {
    EXPECT_LE(rows_touched(world, [&] { (void)world.apply(Sweep{}); }), base::kMaxRowsPerCommand);
    (void)world.send(fans[0], fans[1]);  // sends go on in between
    ++sweeps;
    ASSERT_THAT(sweeps, Lt(20U));
  }
  EXPECT_GE(sweeps, 5U);
  EXPECT_THAT(world.ids(fans[0]), ElementsAre(kept));
  EXPECT_EQ(world.ids(fans[1]).size(), sweeps);
  EXPECT_EQ(told_that_gone(world.events, star.id).size(), fans.size());
}

TEST(Sweep, EveryPeerIsToldOnceInSteps) {
  World world(FormatLimits{.max_rows_per_command = 8, .max_peers_told_at_once = 3});
  const User star = world.create("star");
  std::vector<User> fans;
  for (int i = 0; i < 10; ++i) {
    fans.push_back(world.create("fan" + std::to_string(i)));
    (void)world.send(fans.back(), star);
  }
  (void)world.erase_account(fans[4]);
  (void)world.sweep_all();
  (void)world.erase_account(star);
  EXPECT_EQ(told_that_gone(world.events, star.id).size(), 3U);
  (void)world.sweep_all();
  EXPECT_EQ(told_that_gone(world.events, star.id).size(), 9U);
}

TEST(Sweep, ConversationGoesWithBoth) {
  for (const bool sweep_between : {true, false}) {
    World world;
    const User ada = world.create("ada");
    const User bob = world.create("bob");
    (void)world.send(ada, bob);
    (void)world.send(bob, ada);
    (void)world.send(ada, ada);
    const MessageId hidden = world.send(ada, bob);
    (void)world.erase(bob, {hidden});
    (void)world.erase_account(ada);
    if (sweep_between) {
      (void)world.sweep_all();
    }
    (void)world.erase_account(bob);
    (void)world.sweep_all();
    EXPECT_THAT(world.dumped({"account", "event", "node", "result", "state"}),
                ::testing::Not(::testing::HasSubstr("\n ")))
        << "neither messages nor conversations, members, sessions, deletions are left";
  }
}

TEST(Sweep, WhatBothCannotSeeGoes) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const MessageId one = world.send(ada, bob, "bob deleted this");
  const MessageId two = world.send(ada, bob, "bob keeps this");
  (void)world.erase(bob, {one});
  (void)world.erase_account(ada);
  (void)world.sweep_all();
  EXPECT_EQ(world.dumped().find("bob deleted this"), std::string::npos);
  EXPECT_THAT(world.ids(bob), ElementsAre(two));
}

TEST(Sweep, ResultsGoInSteps) {
  World world(FormatLimits{.max_rows_per_command = 10});
  const User ada = world.create("ada");
  for (int i = 0; i < 24; ++i) {
    (void)world.send(ada, ada);
  }
  world.stamp().cluster_time_ms += base::kResultLifetime_ms;
  (void)world.apply(Tick{});
  EXPECT_EQ(world.sweep_all(), 3U);
}

TEST(Sweep, TwoDeletedAtOnceTellAPeerInTwoPositions) {
  World world(FormatLimits{.max_peers_told_at_once = 1});
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const User eve = world.create("eve");
  const User fay = world.create("fay");
  for (const User* gone : {&ada, &bob}) {
    (void)world.send(*gone, eve);
    (void)world.send(*gone, fay);
  }
  (void)world.erase_account(ada);
  (void)world.erase_account(bob);
  (void)world.sweep_all();
  std::set<std::pair<Position, AccountId>> seen;
  for (const SharedEvent& event : world.events) {
    if (!std::holds_alternative<SessionsEnded>(event->what)) {
      for (const AccountId account : event->audience) {
        EXPECT_TRUE(seen.insert({event->position, account}).second) << "two events at one position";
      }
    }
  }
  EXPECT_EQ(told_that_gone(world.events, ada.id), (std::set<AccountId>{eve.id, fay.id}));
  EXPECT_EQ(told_that_gone(world.events, bob.id), (std::set<AccountId>{eve.id, fay.id}));
}

}  // namespace
}  // namespace parley::chat
