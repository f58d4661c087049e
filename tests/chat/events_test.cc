// Events: what apply gives to watchers and what a replay gives, which must be the same.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/chat/chat_world.h"
#include "tests/chat/script.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;
using testing::Script;
using ::testing::UnorderedElementsAre;
using testing::User;
using testing::World;

bool is_shown(const SharedEvent& event) { return !std::holds_alternative<SessionsEnded>(event->what); }

std::vector<Event> shown(const std::vector<SharedEvent>& events) {
  std::vector<Event> out;
  for (const SharedEvent& event : events) {
    if (is_shown(event)) {
      out.push_back(*event);
    }
  }
  return out;
}

std::vector<Event> replay(World& world, Position after, std::size_t rows_at_once) {
  std::vector<Event> out;
  Reader& reader = world.read();
  while (after < reader.applied()) {
    const auto part = reader.events_between(after, reader.applied(), rows_at_once);
    EXPECT_TRUE(part.has_value() && part->has_value());
    EXPECT_GT((*part)->through, after);
    for (const SharedEvent& event : (*part)->events) {
      out.push_back(*event);
    }
    after = (*part)->through;
  }
  return out;
}

TEST(Events, SentReadDeletedGone) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const User eve = world.create("eve");
  world.events.clear();
  const auto one = world.try_send(ada, "bob");
  const MessageId two = world.send(eve, bob);
  (void)world.mark(bob, {one.message.id, two});
  const auto read_at = world.position();
  (void)world.erase(bob, {two});
  (void)world.erase_account(bob);
  const auto events = shown(world.events);
  ASSERT_EQ(events.size(), 7U);
  EXPECT_THAT(events[0].audience, UnorderedElementsAre(ada.id, bob.id));
  EXPECT_EQ(std::get<MessageSent>(events[0].what).message, one.message);
  EXPECT_EQ(events[0].author, ada.id);
  EXPECT_EQ(events[0].request_id, one.message.request_id);
  // One read, three different contents, disjoint audiences.
  for (std::size_t i = 2; i <= 4; ++i) {
    EXPECT_EQ(events[i].position, read_at);
    EXPECT_EQ(std::get<MessagesRead>(events[i].what).reader_name, "bob");
  }
  EXPECT_THAT(events[2].audience, ElementsAre(bob.id));
  EXPECT_THAT(std::get<MessagesRead>(events[2].what).message_ids, ElementsAre(one.message.id, two));
  EXPECT_THAT(events[3].audience, ElementsAre(ada.id));
  EXPECT_THAT(std::get<MessagesRead>(events[3].what).message_ids, ElementsAre(one.message.id));
  EXPECT_THAT(events[4].audience, ElementsAre(eve.id));
  EXPECT_THAT(events[5].audience, ElementsAre(bob.id));
  EXPECT_THAT(std::get<MessagesDeleted>(events[5].what).message_ids, ElementsAre(two));
  EXPECT_THAT(events[6].audience, UnorderedElementsAre(ada.id, eve.id));
  EXPECT_EQ(std::get<AccountGone>(events[6].what), (AccountGone{.account = bob.id, .name = "bob"}));
}

TEST(Events, WhatChangesNothingTellsNothing) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const MessageId one = world.send(ada, bob);
  (void)world.mark(bob, {one});
  world.events.clear();
  (void)world.mark(bob, {one});
  (void)world.mark(ada, {one});
  (void)world.try_send(ada, "nobody");
  EXPECT_TRUE(world.events.empty());
}

TEST(Events, AReplayIsWhatWasPushed) {
  World world;
  std::vector<User> users;
  for (const char* name : {"ada", "bob", "eve"}) {
    users.push_back(world.create(name));
  }
  std::vector<MessageId> ids;
  for (std::size_t i = 0; i < 60; ++i) {
    ids.push_back(world.send(users[i % 3], users[(i * 7 + 1) % 3], "message " + std::to_string(i)));
    if (i % 5 == 4) {
      (void)world.mark(users[i % 3], {ids.end() - 5, ids.end()});
    }
  }
  const auto pushed = shown(world.events);
  for (const std::size_t rows_at_once : {1U, 2U, 7U, 1'000U}) {
    for (const std::uint64_t after : {0U, 1U, 20U, 63U}) {
      auto replayed = replay(world, Position(after), rows_at_once);
      std::vector<Event> expected;
      std::ranges::copy_if(pushed, std::back_inserter(expected),
                           [&](const Event& event) { return event.position > Position(after); });
      ASSERT_EQ(replayed.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        // A replay tells what is known by now: whether a message was read since.
        if (auto* sent = std::get_if<MessageSent>(&replayed[i].what)) {
          sent->message.read = std::get<MessageSent>(expected[i].what).message.read;
        }
        EXPECT_EQ(replayed[i], expected[i]) << i;
      }
    }
  }
}

TEST(Events, OfOneAccountAtMostOneForAPosition) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const User eve = world.create("eve");
  const MessageId one = world.send(ada, bob);
  const MessageId two = world.send(eve, bob);
  (void)world.mark(bob, {one, two});
  (void)world.send(eve, ada);
  const auto events = world.read().events_after(ada.id, Position(0), 100);
  ASSERT_TRUE(events.has_value() && events->has_value());
  std::vector<std::uint64_t> positions;
  for (const SharedEvent& event : **events) {
    positions.push_back(event->position.value());
  }
  EXPECT_THAT(positions, ElementsAre(one.value(), two.value() + 1, two.value() + 2));
  EXPECT_EQ(world.read().events_after(ada.id, Position(0), 2)->value().size(), 2U);
}

// The two ways to replay agree for every account.
TEST(Events, OneAccountsReplayIsItsPartOfEverybodys) {
  World world;
  Script script(world, 7);
  for (int i = 0; i < 300; ++i) {
    script.step();
  }
  for (const std::uint64_t after : {0U, 100U, 250U}) {
    const auto everybodys = replay(world, Position(after), 50);
    for (const User& user : script.users()) {
      std::vector<Event> expected;
      std::ranges::copy_if(everybodys, std::back_inserter(expected), [&](const Event& event) {
        return std::ranges::find(event.audience, user.id) != event.audience.end();
      });
      std::vector<Event> found;
      Position at(after);
      while (true) {
        const auto part = world.read().events_after(user.id, at, 7);
        ASSERT_TRUE(part.has_value() && part->has_value());
        for (const SharedEvent& event : **part) {
          found.push_back(*event);
          at = event->position;
        }
        if ((*part)->size() < 7) {
          break;
        }
      }
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(Events, OnlyWhoStillSeesAMessage) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  const MessageId one = world.send(ada, bob);
  const MessageId two = world.send(bob, ada);
  (void)world.erase(ada, {one});
  (void)world.erase_account(bob);
  const auto events = replay(world, Position(1), 100);
  EXPECT_TRUE(std::ranges::none_of(events, [&](const Event& e) { return e.position.value() == one.value(); }))
      << "its recipient is gone: hidden from both";
  const auto second =
      std::ranges::find_if(events, [&](const Event& e) { return e.position.value() == two.value(); });
  ASSERT_NE(second, events.end());
  EXPECT_THAT(second->audience, ElementsAre(ada.id));
}

TEST(Events, HorizonByRows) {
  World world(FormatLimits{.max_events = 3});
  const User ada = world.create("ada");
  std::vector<Position> marks;
  for (int i = 0; i < 5; ++i) {
    const MessageId note = world.send(ada, ada);
    (void)world.erase(ada, {note});
    marks.push_back(world.position());
  }
  EXPECT_EQ(*world.read().oldest_replayable(), marks[1]);
  EXPECT_FALSE(
      world.read().events_between(Position(marks[1].value() - 1), world.position(), 100)->has_value());
  EXPECT_FALSE(world.read().events_after(ada.id, Position(1), 100)->has_value());
  EXPECT_TRUE(world.read().events_between(marks[1], world.position(), 100)->has_value());
}

TEST(Events, HorizonByBytesAndByDistance) {
  World by_bytes(FormatLimits{.max_events_bytes = 40});
  const User ada = by_bytes.create("ada");
  for (int i = 0; i < 5; ++i) {
    (void)by_bytes.erase(ada, {by_bytes.send(ada, ada)});
  }
  EXPECT_GT(*by_bytes.read().oldest_replayable(), Position(0));
  World by_distance(FormatLimits{.max_replay_positions = 4});
  const User bob = by_distance.create("bob");
  for (int i = 0; i < 10; ++i) {
    (void)by_distance.send(bob, bob);
  }
  EXPECT_EQ(by_distance.read().oldest_replayable()->value(), by_distance.position().value() - 4);
}

TEST(Events, AheadOfTheSnapshotIsNotTooOld) {
  World world;
  (void)world.create("ada");
  const auto replay = world.read().events_between(Position(100), Position(200), 10);
  ASSERT_TRUE(replay.has_value() && replay->has_value());
  EXPECT_TRUE((*replay)->events.empty());
  EXPECT_EQ((*replay)->through, Position(100));
}

}  // namespace
}  // namespace parley::chat
