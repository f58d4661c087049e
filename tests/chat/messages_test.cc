// Sending, listing, marking, deleting (design.md, Messages; must-pass.md J15, J21).
#include <gmock/gmock.h>

#include "base/limits.h"
#include "chat/errors.h"
#include "tests/chat/chat_world.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::User;
using testing::with;
using testing::World;

std::vector<std::pair<std::string, std::uint32_t>> unread(World& world, const User& user) {
  std::vector<std::pair<std::string, std::uint32_t>> counts;
  const auto page = world.read().unread_counts(user.id, {});
  std::uint64_t total = 0;
  for (const UnreadRow& row : page.value().page.items) {
    counts.emplace_back(row.peer_name, row.unread_count);
    total += row.unread_count;
  }
  EXPECT_EQ(page->total, total);
  return counts;
}

struct Messages : ::testing::Test {
  World world;
  User ada = world.create("ada");
  User bob = world.create("bob");
  User eve = world.create("eve");
};

TEST_F(Messages, SendAndList) {
  const auto sent = world.try_send(ada, "bob", "hi bob");
  EXPECT_EQ(sent.verdict, Verdict::done);
  EXPECT_EQ(sent.message.id.value(), world.position().value());
  EXPECT_EQ(sent.position, world.position());
  EXPECT_EQ(sent.message.sender_name, "ada");
  EXPECT_EQ(sent.message.recipient_name, "bob");
  EXPECT_EQ(sent.message.sent_at_unix_ms, world.stamp().wall_unix_ms);
  EXPECT_FALSE(sent.message.read);
  const MessageId answer = world.send(bob, ada, "hi ada");

  EXPECT_THAT(world.ids(bob), ElementsAre(sent.message.id));
  EXPECT_THAT(world.ids(ada), ElementsAre(answer));
  EXPECT_THAT(world.ids(ada, with("bob")), ElementsAre(sent.message.id, answer));
  EXPECT_THAT(world.ids(ada, {.conversation = sent.message.conversation}),
              ElementsAre(sent.message.id, answer));
  EXPECT_THAT(world.ids(bob, with("ada")), ElementsAre(sent.message.id, answer));
  EXPECT_THAT(world.ids(bob, {.peer = "ada", .newest_first = true}), ElementsAre(answer, sent.message.id));
  const auto seen_by_bob = world.messages(bob, with("ada"));
  EXPECT_EQ(seen_by_bob[0].body, "hi bob");
  EXPECT_EQ(seen_by_bob[0].request_id, "") << "shown to its author only";
  EXPECT_EQ(world.messages(ada, with("bob"))[0].request_id, sent.message.request_id);
}

TEST_F(Messages, UnknownRecipient) {
  const auto result = world.try_send(ada, "nobody");
  EXPECT_EQ(result.verdict, Verdict::no_such_recipient);
  const auto error = to_error(result);
  EXPECT_EQ(error.code, base::Code::not_found);
  EXPECT_EQ(error.message, "Recipient does not exist.");
  EXPECT_EQ(error.position, world.position());
  EXPECT_EQ(error.outcome, base::Outcome::refused);
}

TEST_F(Messages, OnlyItsPartiesSeeAConversation) {
  const auto sent = world.try_send(ada, "bob");
  EXPECT_EQ(world.read().messages(eve.id, {.conversation = sent.message.conversation}).error(),
            conversation_not_found());
  EXPECT_EQ(world.read().messages(eve.id, {.conversation = ConversationId(999)}).error(),
            conversation_not_found());
  EXPECT_EQ(world.mark(eve, {sent.message.id}).verdict, Verdict::no_such_messages);
  EXPECT_EQ(world.erase(eve, {sent.message.id}).verdict, Verdict::no_such_messages);
  EXPECT_EQ(to_error(world.mark(ada, {sent.message.id})).code, base::Code::not_found)
      << "only the recipient marks it read";
  EXPECT_FALSE(world.messages(ada, with("bob"))[0].read);
  EXPECT_EQ(world.read().messages(eve.id, with("nobody")).error(), account_not_found("peer"));
  EXPECT_THAT(world.ids(eve, with("ada")), IsEmpty());
  EXPECT_EQ(world.read().messages(ada.id, {.peer = "bob", .conversation = sent.message.conversation}).error(),
            both_peer_and_conversation());
}

TEST_F(Messages, MarkReadShowsToBoth) {
  const MessageId one = world.send(ada, bob);
  const MessageId two = world.send(ada, bob);
  const MessageId other = world.send(bob, ada);
  EXPECT_EQ(unread(world, bob), (std::vector<std::pair<std::string, std::uint32_t>>{{"ada", 2}}));
  const auto marked = world.mark(bob, {two, other, MessageId(12345), one});
  EXPECT_EQ(marked.verdict, Verdict::done);
  EXPECT_THAT(marked.message_ids, ElementsAre(two, one)) << "in the order of the request";
  EXPECT_TRUE(world.messages(ada, with("bob"))[0].read);
  EXPECT_THAT(unread(world, bob), IsEmpty());
  EXPECT_THAT(world.ids(bob, {.unread_only = true}), IsEmpty());
  EXPECT_THAT(world.ids(ada, {.unread_only = true}), ElementsAre(other));
  EXPECT_THAT(world.mark(bob, {one}).message_ids, ElementsAre(one)) << "again: it applies, nothing changes";
}

TEST_F(Messages, ToOneselfIsBornRead) {
  const MessageId note = world.send(ada, ada, "note");
  EXPECT_THAT(world.ids(ada), ElementsAre(note));
  EXPECT_THAT(world.ids(ada, with("ada")), ElementsAre(note));
  EXPECT_TRUE(world.messages(ada)[0].read);
  EXPECT_THAT(unread(world, ada), IsEmpty());
  EXPECT_THAT(world.mark(ada, {note}).message_ids, ElementsAre(note));
  EXPECT_EQ(world.read().conversations(ada.id, {})->items.size(), 1U);
  EXPECT_EQ(world.erase(ada, {note}).verdict, Verdict::done);
  EXPECT_THAT(world.ids(ada), IsEmpty());
  EXPECT_THAT(world.read().conversations(ada.id, {})->items, IsEmpty());
}

TEST_F(Messages, DeletingRemovesFromOnesOwnView) {
  const MessageId one = world.send(ada, bob);
  const MessageId two = world.send(ada, bob);
  EXPECT_THAT(world.erase(bob, {one}).message_ids, ElementsAre(one));
  EXPECT_THAT(world.ids(bob), ElementsAre(two));
  EXPECT_THAT(world.ids(ada, with("bob")), ElementsAre(one, two));
  EXPECT_EQ(unread(world, bob), (std::vector<std::pair<std::string, std::uint32_t>>{{"ada", 1}}));
  EXPECT_EQ(world.mark(bob, {one}).verdict, Verdict::no_such_messages);
  EXPECT_EQ(world.erase(bob, {one}).verdict, Verdict::no_such_messages);
  EXPECT_THAT(world.erase(ada, {one, two}).message_ids, ElementsAre(one, two));
  EXPECT_THAT(world.ids(ada, with("bob")), IsEmpty());
  EXPECT_THAT(world.ids(bob), ElementsAre(two)) << "the recipient still has what the sender deleted";
  EXPECT_EQ(world.mark(bob, {two}).verdict, Verdict::done);
  EXPECT_THAT(world.erase(bob, {two}).message_ids, ElementsAre(two));
  EXPECT_EQ(world.dumped().find("hello"), std::string::npos) << "the last viewer takes the row";
}

TEST_F(Messages, PagesWhileMessagesComeAndGo) {
  std::vector<MessageId> sent;
  for (int i = 0; i < 7; ++i) {
    sent.push_back(world.send(i % 2 == 0 ? ada : eve, bob));
  }
  MessageQuery query{.page = {.page_size = 3}};
  auto page = world.read().messages(bob.id, query);
  ASSERT_EQ(page->items.size(), 3U);
  EXPECT_EQ(page->items[2].id, sent[2]);
  (void)world.erase(bob, {sent[2], sent[3]});
  const MessageId late = world.send(ada, bob);
  query.page.page_token = page->next_page_token;
  page = world.read().messages(bob.id, query);
  EXPECT_EQ(page->items[0].id, sent[4]);
  EXPECT_EQ(page->items[2].id, sent[6]);
  query.page.page_token = page->next_page_token;
  page = world.read().messages(bob.id, query);
  ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].id, late);
  EXPECT_EQ(page->next_page_token, "");
}

TEST_F(Messages, PageTokensAreBoundToAccountQueryAndCluster) {
  (void)world.send(ada, bob);
  (void)world.send(ada, bob);
  (void)world.send(bob, ada);
  (void)world.send(bob, ada);
  const auto token = world.read().messages(bob.id, {.page = {.page_size = 1}})->next_page_token;
  ASSERT_NE(token, "");
  const PageRequest page{.page_size = 1, .page_token = token};
  EXPECT_TRUE(world.read().messages(bob.id, {.page = page}).has_value());
  EXPECT_EQ(world.read().messages(ada.id, {.page = page}).error(), bad_page_token());
  EXPECT_EQ(world.read().messages(bob.id, {.unread_only = true, .page = page}).error(), bad_page_token());
  EXPECT_EQ(world.read().messages(bob.id, {.newest_first = true, .page = page}).error(), bad_page_token());
  EXPECT_EQ(world.read().messages(bob.id, {.peer = "ada", .page = page}).error(), bad_page_token());
  EXPECT_EQ(world.read().conversations(bob.id, page).error(), bad_page_token());
  EXPECT_EQ(world.read().messages(bob.id, {.page = {.page_token = "garbage"}}).error(), bad_page_token());
  EXPECT_EQ(world.read().messages(bob.id, {.page = {.page_token = std::string(4'000, 'A')}}).error(),
            bad_page_token());
  // J15: a cluster of its own, the same seed and the same history.
  StateOptions options{.path = world.path() + ".other"};
  const auto other = StateMachine::open(options);
  ASSERT_TRUE((*other)->apply_founding(Position(1), base::ClusterId{{9}}, std::string(32, 's')).has_value());
  for (std::size_t i = 2; i <= world.position().value(); ++i) {
    const auto& entry = world.log()[i - 1];
    ASSERT_TRUE((*other)->apply(Position(i), entry.stamp, entry.command).has_value());
  }
  ASSERT_TRUE((*other)->commit().has_value());
  const auto reader = Reader::open(options);
  ASSERT_TRUE((*reader)->begin().has_value());
  EXPECT_EQ((*reader)->messages(bob.id, {.page = page}).error(), bad_page_token());
}

TEST_F(Messages, PageEndsAtOneMebibyte) {
  const std::string body(base::kMaxBodyBytes, 'x');
  for (int i = 0; i < 70; ++i) {
    (void)world.send(ada, bob, body);
  }
  const auto page = world.read().messages(bob.id, {.page = {.page_size = 500}});
  std::size_t size_bytes = 0;
  for (const Message& message : page->items) {
    size_bytes += message.body.size();
  }
  EXPECT_LE(size_bytes, base::kMaxPageBytes + base::kMaxBodyBytes);
  EXPECT_GT(page->items.size(), 60U);
  EXPECT_NE(page->next_page_token, "");
  const auto rest =
      world.read().messages(bob.id, {.page = {.page_size = 500, .page_token = page->next_page_token}});
  EXPECT_EQ(page->items.size() + rest->items.size(), 70U);
}

TEST_F(Messages, ConversationsNewestFirst) {
  (void)world.send(ada, bob, "one");
  (void)world.send(eve, ada, "two");
  (void)world.send(ada, ada, "three");
  const auto first = world.read().conversations(ada.id, {.page_size = 2});
  ASSERT_EQ(first->items.size(), 2U);
  EXPECT_EQ(first->items[0].peer_name, "ada");
  EXPECT_EQ(first->items[0].last_message.body, "three");
  EXPECT_EQ(first->items[1].peer_name, "eve");
  EXPECT_EQ(first->items[1].unread_count, 1U);
  // Somebody writes in one that was not shown yet: it keeps its place, and shows the new line.
  (void)world.send(bob, ada, "four");
  const auto second =
      world.read().conversations(ada.id, {.page_size = 2, .page_token = first->next_page_token});
  ASSERT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->items[0].peer_name, "bob");
  EXPECT_EQ(second->items[0].last_message.body, "four");
  EXPECT_EQ(second->next_page_token, "");
}

TEST_F(Messages, UnreadCountsInPages) {
  (void)world.send(bob, ada);
  (void)world.send(eve, ada);
  (void)world.send(eve, ada);
  const auto first = world.read().unread_counts(ada.id, {.page_size = 1});
  ASSERT_EQ(first->page.items.size(), 1U);
  EXPECT_EQ(first->total, 3U);
  const auto second =
      world.read().unread_counts(ada.id, {.page_size = 1, .page_token = first->page.next_page_token});
  ASSERT_EQ(second->page.items.size(), 1U);
  EXPECT_NE(first->page.items[0].peer_name, second->page.items[0].peer_name);
  EXPECT_EQ(second->page.next_page_token, "");
}

TEST_F(Messages, DeletedAccountHidesAtOnce) {
  const MessageId to_bob = world.send(ada, bob, "to bob");
  const MessageId from_bob = world.send(bob, ada, "from bob");
  const auto conversation = world.messages(ada, with("bob"))[0].conversation;
  (void)world.erase_account(bob);
  // Not swept yet.
  EXPECT_TRUE(world.machine().has_sweep_work());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(world.ids(ada), ElementsAre(from_bob));
    EXPECT_THAT(world.ids(ada, {.conversation = conversation}), ElementsAre(from_bob));
    const auto conversations = world.read().conversations(ada.id, {});
    ASSERT_EQ(conversations->items.size(), 1U);
    EXPECT_TRUE(conversations->items[0].peer_gone);
    EXPECT_EQ(conversations->items[0].peer_name, "bob");
    EXPECT_EQ(conversations->items[0].last_message.body, "from bob");
    EXPECT_EQ(unread(world, ada), (std::vector<std::pair<std::string, std::uint32_t>>{{"bob", 1}}));
    EXPECT_EQ(world.erase(ada, {to_bob}).verdict, Verdict::no_such_messages);
    (void)world.sweep_all();
  }
  EXPECT_EQ(world.dumped().find("to bob"), std::string::npos);
  EXPECT_EQ(world.try_send(ada, "bob").verdict, Verdict::no_such_recipient);
  EXPECT_EQ(world.mark(ada, {from_bob}).verdict, Verdict::done);
  EXPECT_EQ(world.erase(ada, {from_bob}).verdict, Verdict::done);
  EXPECT_EQ(world.dumped().find("from bob"), std::string::npos);
}

TEST_F(Messages, J21_ReplyToAnAccountWhoseNameWasRegisteredAgain) {
  const auto sent = world.try_send(bob, "ada");
  (void)world.erase_account(bob);
  const User other = world.create("bob");
  const auto reply = world.apply(SendMessage{.request = world.key(),
                                             .authority = ada.authority(),
                                             .recipient = "bob",
                                             .recipient_id = bob.id,
                                             .body = "for the first bob"});
  EXPECT_EQ(reply.verdict, Verdict::no_such_recipient);
  EXPECT_EQ(to_error(reply).message, "Recipient does not exist.");
  EXPECT_THAT(world.ids(other), IsEmpty());
  EXPECT_EQ(world.messages(ada)[0].sender, sent.message.sender);
  const auto meant = world.apply(SendMessage{.request = world.key(),
                                             .authority = ada.authority(),
                                             .recipient = "bob",
                                             .recipient_id = other.id,
                                             .body = "for the second"});
  EXPECT_EQ(meant.verdict, Verdict::done);
  EXPECT_NE(meant.message.conversation, sent.message.conversation);
}

TEST_F(Messages, PageOfAPeerWhoseNameWasRegisteredAgain) {
  (void)world.send(bob, ada);
  (void)world.send(bob, ada);
  const auto token =
      world.read().messages(ada.id, {.peer = "bob", .page = {.page_size = 1}})->next_page_token;
  (void)world.erase_account(bob);
  (void)world.create("bob");
  EXPECT_EQ(world.read().messages(ada.id, {.peer = "bob", .page = {.page_token = token}}).error(),
            bad_page_token());
}

}  // namespace
}  // namespace parley::chat
