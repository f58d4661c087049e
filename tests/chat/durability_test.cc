// Rollbacks, crashes, failing disks (rules 3 and 7; must-pass.md J3, J19, E, F).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <fstream>

#include "tests/chat/chat_world.h"
#include "tests/chat/fault_vfs.h"
#include "tests/chat/script.h"

namespace parley::chat {
namespace {

using testing::FaultVfs;
using testing::Script;
using testing::User;
using testing::World;

constexpr const char* kVfs = "parley-fault";

// J3: a failed COMMIT. No event twice, no id twice; the same rows as without the failure.
void fail_commit_and_recover(int code, bool open_anew) {
  FaultVfs vfs(kVfs);
  World world({}, kVfs);
  const User ada = world.create("ada");
  const User bob = world.create("bob");
  ASSERT_TRUE(world.machine().commit().has_value());
  const Position committed = world.machine().applied();
  const MessageId first = world.send(ada, bob, "before");
  const MessageId second = world.send(bob, ada, "before, too");
  const auto events = world.events;

  vfs.fail_writes_after(0, code);
  const auto failed = world.machine().commit();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().is_disk_full, code == SQLITE_FULL);
  EXPECT_GT(vfs.failures(), 0U);
  vfs.heal();
  EXPECT_EQ(world.machine().applied(), committed);
  EXPECT_EQ(world.machine().uncommitted_entries(), 0U);
  if (open_anew) {
    world.crash_and_open();
    world.events.clear();  // a new object knows of nothing given out
    world.replay();
  } else {
    world.replay();
    EXPECT_EQ(world.events.size(), events.size()) << "no event twice";
    const MessageId third = world.send(ada, bob, "after");
    EXPECT_EQ(world.events.size(), events.size() + 1);
    EXPECT_GT(third, second);
  }
  const auto ids = world.ids(bob);
  EXPECT_EQ(ids.front(), first) << "no id twice, none lost";
  World twin;
  for (std::size_t i = 2; i <= world.position().value(); ++i) {
    const auto& entry = world.log()[i - 1];
    ASSERT_TRUE(twin.machine().apply(Position(i), entry.stamp, entry.command).has_value());
  }
  EXPECT_EQ(world.dumped(), twin.dumped());
}

TEST(Durability, J3_FailedCommitDiskFull) { fail_commit_and_recover(SQLITE_FULL, false); }
TEST(Durability, J3_FailedCommitDiskFullOpenedAnew) { fail_commit_and_recover(SQLITE_FULL, true); }
TEST(Durability, J3_FailedCommitIoError) { fail_commit_and_recover(SQLITE_IOERR_WRITE, false); }
TEST(Durability, J3_FailedCommitIoErrorOpenedAnew) { fail_commit_and_recover(SQLITE_IOERR_WRITE, true); }

// A disk that fails at any write, again and again, never changes what comes out in the end.
TEST(Durability, J3_AFailureAtEveryWrite) {
  World twin;
  Script script(twin, 42);
  for (int i = 0; i < 120; ++i) {
    script.step();
  }
  const std::string expected = twin.dumped();
  std::uint64_t failures = 0;
  for (std::int64_t fail_at = 0; fail_at < 60; fail_at += 3) {
    FaultVfs vfs(kVfs);
    World world({}, kVfs);
    vfs.fail_writes_after(fail_at, fail_at % 2 == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE);
    std::size_t attempts = 0;
    while (world.machine().applied() < twin.position()) {
      ASSERT_LT(++attempts, 10'000U);
      const Position next = world.machine().applied().next();
      bool good = true;
      if (next == Position(1)) {  // the founding entry was not committed yet
        good = world.machine()
                   .apply_founding(next,
                                   base::ClusterId{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
                                   std::string(32, 's'))
                   .has_value();
      } else {
        const auto& entry = twin.log()[next.value() - 1];
        good = world.machine().apply(next, entry.stamp, entry.command).has_value();
      }
      if (good && next.value() % 7 == 0) {
        good = world.machine().commit().has_value();
      }
      if (!good) {
        vfs.heal();
      }
    }
    failures += vfs.failures();
    vfs.heal();
    EXPECT_EQ(world.dumped(), expected) << "failed at write " << fail_at;
  }
  EXPECT_GT(failures, 10U) << "the fault fired";
}

TEST(Durability, AFailedSyncEndsTheUseOfTheObject) {
  FaultVfs vfs(kVfs);
  World world({}, kVfs);
  const User ada = world.create("ada");
  StateOptions options = world.options();
  options.path += ".synced";
  options.checkpoint_wal_size_bytes = 1;
  const auto machine = StateMachine::open(options);
  ASSERT_TRUE(machine.has_value());
  ASSERT_TRUE((*machine)->apply_nothing(Position(1)).has_value());
  ASSERT_TRUE((*machine)->commit().has_value());
  vfs.fail_syncs(true);
  const Position before = (*machine)->checkpointed();
  ASSERT_FALSE((*machine)->checkpoint_if_due().has_value());
  EXPECT_EQ((*machine)->checkpointed(), before);
  vfs.heal();
  EXPECT_FALSE((*machine)->apply_nothing(Position(2)).has_value()) << "never retried as if nothing happened";
  EXPECT_FALSE((*machine)->commit().has_value());
}

TEST(Durability, CheckpointsAdvanceOnlyWhenAllIsInTheFile) {
  World world;
  StateOptions options = world.options();
  options.path += ".own";
  options.checkpoint_wal_size_bytes = 1;
  const auto opened = StateMachine::open(options);
  StateMachine& machine = **opened;
  EXPECT_EQ(machine.checkpointed(), Position(0));
  ASSERT_TRUE(machine.apply_nothing(Position(1)).has_value());
  EXPECT_EQ(machine.checkpoint_if_due(), StateResult<bool>(false)) << "not inside a transaction";
  ASSERT_TRUE(machine.commit().has_value());
  EXPECT_EQ(machine.checkpoint_if_due(), StateResult<bool>(true));
  EXPECT_EQ(machine.checkpointed(), Position(1));
  // A reader's snapshot holds it back.
  const auto reader = Reader::open(options);
  ASSERT_TRUE(machine.apply_nothing(Position(2)).has_value());
  ASSERT_TRUE(machine.commit().has_value());
  ASSERT_TRUE((*reader)->begin().has_value());
  ASSERT_TRUE(machine.apply_nothing(Position(3)).has_value());
  ASSERT_TRUE(machine.commit().has_value());
  EXPECT_EQ(machine.checkpoint_if_due(), StateResult<bool>(false));
  EXPECT_EQ(machine.checkpointed(), Position(1));
  (*reader)->end();
  ASSERT_TRUE(machine.apply_nothing(Position(4)).has_value());
  ASSERT_TRUE(machine.commit().has_value());
  EXPECT_EQ(machine.checkpoint_if_due(), StateResult<bool>(true));
  EXPECT_EQ(machine.checkpointed(), Position(4));
}

TEST(Durability, TheWalDoesNotGrowForEver) {
  World world;
  StateOptions options = world.options();
  options.path += ".own";
  options.checkpoint_wal_size_bytes = 100'000;
  const auto opened = StateMachine::open(options);
  const auto reader = Reader::open(options);
  std::uintmax_t largest = 0;
  for (std::uint64_t i = 1; i < 400; ++i) {
    ASSERT_TRUE((*opened)
                    ->apply(Position(i), {.cluster_time_ms = 1, .wall_unix_ms = 1},
                            encode(AnnounceNode{.node = base::NodeId(static_cast<std::uint32_t>(i)),
                                                .incarnation = base::Incarnation(1),
                                                .peer_address = std::string(500, 'x')}))
                    .has_value());
    ASSERT_TRUE((*opened)->commit().has_value());
    ASSERT_TRUE((*reader)->begin().has_value());
    ASSERT_TRUE((*opened)->checkpoint_if_due().has_value());
    (*reader)->end();
    largest = std::max(largest, std::filesystem::file_size(options.path + "-wal"));
  }
  EXPECT_LT(largest, 9 * options.checkpoint_wal_size_bytes);
  EXPECT_GT((*opened)->checkpointed(), Position(200));
}

// Commits at random, crashes at random, opened again and again: the same rows as a twin that never stopped.
TEST(Durability, CrashesAtRandomPointsAndEqualTwins) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    World twin;
    Script script(twin, seed);
    for (int i = 0; i < 300; ++i) {
      script.step();
    }
    const std::string expected = twin.dumped();
    World world;
    std::mt19937_64 random(seed);
    while (world.machine().applied() < twin.position()) {
      const Position next = world.machine().applied().next();
      if (next == Position(1)) {
        const base::ClusterId cluster{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
        ASSERT_TRUE(world.machine().apply_founding(next, cluster, std::string(32, 's')).has_value());
      } else {
        const auto& entry = twin.log()[next.value() - 1];
        ASSERT_TRUE(world.machine().apply(next, entry.stamp, entry.command).has_value());
      }
      if (random() % 10 == 0) {
        ASSERT_TRUE(world.machine().commit().has_value());
      }
      if (random() % 25 == 0) {
        const Position before = world.machine().applied();
        world.crash_and_open();
        EXPECT_LE(world.machine().applied(), before);
        EXPECT_EQ(world.machine().checkpointed(), world.machine().applied());
      }
    }
    EXPECT_EQ(world.dumped(), expected) << "seed " << seed;
  }
}

TEST(Durability, FoundingIsRemembered) {
  World world;
  const auto key = world.machine().token_key();
  ASSERT_TRUE(key.has_value());
  ASSERT_TRUE(world.machine().commit().has_value());
  world.crash_and_open();
  EXPECT_EQ(world.machine().token_key()->bytes, key->bytes);
  EXPECT_EQ(world.machine().cluster_id()->bytes[0], 1);
  EXPECT_EQ(world.read().token_key()->bytes, key->bytes);
  EXPECT_EQ(world.read().cluster_id(), *world.machine().cluster_id());
}

TEST(Durability, NothingIsReadableByOthers) {
  World world;
  (void)world.create("ada");
  (void)world.read();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(stat((world.path() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST(Durability, ANewerFormatIsRefused) {
  World world;
  ASSERT_TRUE(world.machine().commit().has_value());
  const StateOptions options{.path = world.path() + ".newer"};
  {
    ASSERT_TRUE(StateMachine::open(options).has_value());
  }
  SQLite::Database(options.path, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 2");
  const auto opened = StateMachine::open(options);
  ASSERT_FALSE(opened.has_value());
  EXPECT_TRUE(opened.error().is_newer_format);
  EXPECT_TRUE(Reader::open(options).error().is_newer_format);
}

TEST(Durability, AnotherFileIsDamage) {
  World world;
  const StateOptions garbage{.path = world.path() + ".garbage"};
  std::ofstream(garbage.path) << std::string(8'192, 'x');
  const auto opened = StateMachine::open(garbage);
  ASSERT_FALSE(opened.has_value());
  EXPECT_TRUE(opened.error().is_damaged);
  const StateOptions other{.path = world.path() + ".other"};
  SQLite::Database(other.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t (x)");
  EXPECT_TRUE(StateMachine::open(other).error().is_damaged);
  EXPECT_FALSE(Reader::open({.path = world.path() + ".nothing"}).has_value());
}

TEST(Durability, ACommandOfANewerFormatIsAnErrorOfThisNode) {
  World world;
  const auto applied = world.machine().apply(Position(2), {}, "\xff\xff");
  ASSERT_FALSE(applied.has_value());
  EXPECT_TRUE(applied.error().is_newer_format);
  EXPECT_EQ(world.machine().applied(), Position(1)) << "it is not left out";
}

// The second bit of a page: SQLite notices, and it is no result.
TEST(Durability, DamageIsAnErrorOfThisNode) {
  World world;
  for (int i = 0; i < 50; ++i) {
    (void)world.create("user" + std::to_string(i));
  }
  ASSERT_TRUE(world.machine().commit().has_value());
  world.crash_and_open();  // checkpoints everything into the file
  {
    std::fstream file(world.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 1; page < 30; ++page) {
      file.seekp(page * 4'096);
      file << std::string(64, '\x7f');
    }
  }
  std::filesystem::resize_file(world.path() + "-wal", 0);
  const auto opened = StateMachine::open_for_test(world.options(), world.limits());
  if (opened) {
    const auto applied = (*opened)->apply(
        (*opened)->applied().next(), world.stamp(),
        encode(CreateAccount{
            .request = world.key(), .name = "new", .password_hash = "h", .session = world.new_session()}));
    ASSERT_FALSE(applied.has_value());
    EXPECT_TRUE(applied.error().is_damaged) << applied.error().what;
  } else {
    EXPECT_TRUE(opened.error().is_damaged) << opened.error().what;
  }
}

}  // namespace
}  // namespace parley::chat
