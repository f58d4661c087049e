// Accounts and sessions (design.md, Accounts and Sessions; must-pass.md J4).
#include <gmock/gmock.h>

#include "base/limits.h"
#include "chat/errors.h"
#include "tests/chat/chat_world.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::User;
using testing::World;

std::vector<std::string> names(const base::Result<Page<Account>>& page) {
  std::vector<std::string> names;
  for (const Account& account : page.value().items) {
    names.push_back(account.name);
  }
  return names;
}

const SessionsEnded* ended(const SharedEvent& event) { return std::get_if<SessionsEnded>(&event->what); }

TEST(Accounts, CreateAndLookUp) {
  World world;
  const User ada = world.create("ada");
  EXPECT_EQ(ada.id.value(), world.position().value());
  const auto account = world.read().account("ada");
  ASSERT_TRUE(account.has_value());
  EXPECT_EQ(account->id, ada.id);
  EXPECT_EQ(account->created_at_unix_ms, world.stamp().wall_unix_ms);
  EXPECT_EQ(world.read().account("bob").error(), account_not_found());
  const auto credentials = world.read().credentials("ada");
  EXPECT_EQ(credentials->value().password_hash, "hash of ada");
  EXPECT_EQ(credentials->value().version, PasswordVersion(1));
  EXPECT_FALSE(world.read().credentials("bob")->has_value());
}

TEST(Accounts, TakenName) {
  World world;
  const User ada = world.create("ada");
  const auto again = world.apply(CreateAccount{
      .request = world.key(), .name = "ada", .password_hash = "other", .session = world.new_session()});
  EXPECT_EQ(again.verdict, Verdict::name_taken);
  EXPECT_EQ(to_error(again).code, base::Code::already_exists);
  EXPECT_EQ(to_error(again).outcome, base::Outcome::refused);
  EXPECT_EQ(world.read().credentials(ada.id)->value().password_hash, "hash of ada");
}

TEST(Accounts, LogInAndOut) {
  World world;
  User ada = world.create("ada");
  const SessionHash first = ada.session;
  const auto result = world.log_in(ada);
  EXPECT_EQ(result.verdict, Verdict::done);
  EXPECT_EQ(result.account, ada.id);
  EXPECT_EQ(result.account_name, "ada");
  EXPECT_EQ(result.session_expires_at_unix_ms, world.stamp().wall_unix_ms + base::kSessionLifetime_ms);
  EXPECT_EQ(world.read().session(ada.session)->value().account_name, "ada");

  world.events.clear();
  EXPECT_EQ(world.apply(LogOut{.request = world.key(), .authority = ada.authority()}).verdict, Verdict::done);
  EXPECT_FALSE(world.read().session(ada.session)->has_value());
  EXPECT_TRUE(world.read().session(first)->has_value());
  ASSERT_EQ(world.events.size(), 1U);
  ASSERT_NE(ended(world.events[0]), nullptr);
  EXPECT_THAT(ended(world.events[0])->sessions, ElementsAre(ada.session));
  // J4: logged out at one node, the token used at another in the next millisecond.
  EXPECT_EQ(world.try_send(ada, "ada").verdict, Verdict::session_ended);
}

// The same bytes, proposed again after a change of leader, must not bring the session back.
TEST(Accounts, LogInProposedTwiceAfterLogOut) {
  World world;
  User ada = world.create("ada");
  (void)world.log_in(ada);
  const std::size_t log_in = world.position().value();
  (void)world.apply(LogOut{.request = world.key(), .authority = ada.authority()});
  const auto again = world.apply_again(log_in);
  EXPECT_EQ(again.verdict, Verdict::done);
  EXPECT_EQ(again.position.value(), log_in);
  EXPECT_TRUE(again.is_retry);
  EXPECT_FALSE(world.read().session(ada.session)->has_value());
}

TEST(Accounts, J4_OldPasswordRacesChange) {
  World world;
  User ada = world.create("ada");
  User elsewhere = ada;
  (void)world.log_in(elsewhere);
  const auto change = [&](const User& by, const std::string& hash) {
    return world.apply(ChangePassword{.request = world.key(),
                                      .authority = by.authority(),
                                      .checked = PasswordVersion(1),
                                      .new_password_hash = hash});
  };
  EXPECT_EQ(change(ada, "first").verdict, Verdict::done);
  // Of two racing changes one wins: the other's session is over, and even its own would not help.
  EXPECT_EQ(change(elsewhere, "second").verdict, Verdict::session_ended);
  EXPECT_EQ(change(ada, "second").verdict, Verdict::password_changed);
  EXPECT_EQ(to_error(change(ada, "third")), wrong_name_or_password()) << "not final: this attempt alone";
  // A log-in that had checked the old password comes too late.
  EXPECT_EQ(world.log_in(elsewhere).verdict, Verdict::password_changed);
  EXPECT_EQ(world.read().credentials("ada")->value().password_hash, "first");
  EXPECT_EQ(world.read().credentials("ada")->value().version, PasswordVersion(2));
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
}

TEST(Accounts, ChangeEndsOtherSessionsAndTheirWatches) {
  World world;
  User ada = world.create("ada");
  const SessionHash first = ada.session;
  (void)world.log_in(ada);
  world.events.clear();
  (void)world.apply(ChangePassword{.request = world.key(),
                                   .authority = ada.authority(),
                                   .checked = PasswordVersion(1),
                                   .new_password_hash = "new"});
  EXPECT_FALSE(world.read().session(first)->has_value());
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
  ASSERT_EQ(world.events.size(), 1U);
  EXPECT_EQ(ended(world.events[0])->kept, ada.session);
}

TEST(Accounts, TwentySessionsTheOldestGoes) {
  World world;
  User ada = world.create("ada");
  std::vector<SessionHash> sessions{ada.session};
  for (std::size_t i = 1; i < base::kMaxSessionsPerAccount; ++i) {
    (void)world.log_in(ada);
    sessions.push_back(ada.session);
  }
  EXPECT_TRUE(world.read().session(sessions[0])->has_value());
  (void)world.log_in(ada);
  EXPECT_FALSE(world.read().session(sessions[0])->has_value());
  EXPECT_TRUE(world.read().session(sessions[1])->has_value());
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
  EXPECT_THAT(ended(world.events.back())->sessions, ElementsAre(sessions[0]));
}

TEST(Accounts, SessionsExpireInClusterTime) {
  World world;
  const User ada = world.create("ada");
  const std::int64_t expires_ms = world.stamp().cluster_time_ms + base::kSessionLifetime_ms;
  world.stamp().cluster_time_ms = expires_ms - 1;
  world.stamp().wall_unix_ms += 10 * base::kSessionLifetime_ms;  // no wall clock ends a session
  EXPECT_EQ(world.try_send(ada, "ada").verdict, Verdict::done);
  EXPECT_TRUE(world.read().session(ada.session)->has_value());
  world.stamp().cluster_time_ms = expires_ms;
  (void)world.apply(Tick{});
  EXPECT_FALSE(world.read().session(ada.session)->has_value());
  EXPECT_EQ(world.try_send(ada, "ada").verdict, Verdict::session_ended);
  EXPECT_TRUE(world.machine().has_sweep_work());
  world.events.clear();
  (void)world.sweep_all();
  ASSERT_EQ(world.events.size(), 1U);
  EXPECT_THAT(ended(world.events[0])->sessions, ElementsAre(ada.session));
}

TEST(Accounts, NextExpiry) {
  World world;
  EXPECT_EQ(world.machine().next_expiry_cluster_time_ms(), std::nullopt);
  const std::int64_t start_ms = world.stamp().cluster_time_ms;
  (void)world.create("ada");
  // The result of the creation goes first, then the session.
  EXPECT_EQ(world.machine().next_expiry_cluster_time_ms(), start_ms + base::kResultLifetime_ms);
  EXPECT_FALSE(world.machine().has_sweep_work());
  world.stamp().cluster_time_ms = start_ms + base::kResultLifetime_ms;
  (void)world.apply(Tick{});
  EXPECT_TRUE(world.machine().has_sweep_work());
  (void)world.sweep_all();
  EXPECT_EQ(world.machine().next_expiry_cluster_time_ms(), start_ms + base::kSessionLifetime_ms);
}

TEST(Accounts, ClusterTimeNeverGoesBack) {
  World world;
  const std::int64_t later_ms = world.stamp().cluster_time_ms + 1'000;
  world.stamp().cluster_time_ms = later_ms;
  (void)world.apply(Tick{});
  world.stamp().cluster_time_ms = later_ms - 500;
  (void)world.apply(Tick{});
  EXPECT_EQ(world.machine().last_stamp().cluster_time_ms, later_ms);
}

TEST(Accounts, DeletedNameIsAnotherAccount) {
  World world;
  const User old = world.create("ada");
  const User bob = world.create("bob");
  (void)world.send(bob, old, "to the first");
  EXPECT_EQ(world.erase_account(old).verdict, Verdict::done);
  EXPECT_EQ(world.read().account("ada").error().code, base::Code::not_found);
  EXPECT_FALSE(world.read().session(old.session)->has_value());
  EXPECT_FALSE(world.read().credentials(old.id)->has_value());
  const User ada = world.create("ada");
  EXPECT_NE(ada.id, old.id);
  EXPECT_THAT(world.ids(ada), IsEmpty());
  EXPECT_EQ(world.try_send(old, "bob").verdict, Verdict::session_ended);
  User ghost = old;
  EXPECT_EQ(world.log_in(ghost).verdict, Verdict::password_changed);
}

TEST(Accounts, DeleteNeedsTheCheckedPassword) {
  World world;
  User ada = world.create("ada");
  ada.version = PasswordVersion(2);
  EXPECT_EQ(world.erase_account(ada).verdict, Verdict::password_changed);
  EXPECT_TRUE(world.read().account("ada").has_value());
}

TEST(Accounts, ListByGlobInPages) {
  World world;
  for (const char* name : {"anna", "anne", "annette", "bob", "z.1", "z_2"}) {
    (void)world.create(name);
  }
  const AccountId me(2);
  EXPECT_THAT(names(world.read().accounts(me, "ann?", {})), ElementsAre("anna", "anne"));
  EXPECT_THAT(names(world.read().accounts(me, "ANN*", {})), ElementsAre("anna", "anne", "annette"));
  EXPECT_THAT(names(world.read().accounts(me, "", {})).size(), 6U);
  EXPECT_THAT(names(world.read().accounts(me, "*[!a-y]", {})), ElementsAre("z.1", "z_2"));
  EXPECT_THAT(names(world.read().accounts(me, "nobody*", {})), IsEmpty());
  const auto first = world.read().accounts(me, "*n*", {.page_size = 2});
  EXPECT_THAT(names(first), ElementsAre("anna", "anne"));
  (void)world.create("anno");  // pages go on where they were
  const auto second =
      world.read().accounts(me, "*n*", {.page_size = 2, .page_token = first->next_page_token});
  EXPECT_THAT(names(second), ElementsAre("annette", "anno"));
  EXPECT_EQ(world.read().accounts(me, "*o*", {.page_token = first->next_page_token}).error(),
            bad_page_token());
  EXPECT_EQ(world.read().accounts(AccountId(3), "*n*", {.page_token = first->next_page_token}).error(),
            bad_page_token());
  EXPECT_EQ(world.read().accounts(me, std::string(65, 'a'), {}).error().field, "pattern");
}

TEST(Accounts, AnnouncedAddresses) {
  World world;
  AnnounceNode node{.node = base::NodeId(3),
                    .incarnation = base::Incarnation(~std::uint64_t{0}),
                    .peer_address = "a:1",
                    .client_address = "a:2",
                    .http_address = "a:3"};
  (void)world.apply(node);
  node.client_address = "b:2";
  (void)world.apply(node);
  const auto nodes = world.read().nodes();
  ASSERT_EQ(nodes->size(), 1U);
  EXPECT_EQ(nodes->front().incarnation, node.incarnation);
  EXPECT_EQ(nodes->front().client_address, "b:2");
}

}  // namespace
}  // namespace parley::chat
