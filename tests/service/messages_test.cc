// Messages through the service: sending, listing, marking, deleting, and whose eyes see what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/service/api.h"

namespace parley::test {
namespace {

std::vector<std::string> bodies(const v1::ListMessagesResponse& page) {
  std::vector<std::string> result;
  for (const auto& message : page.messages()) {
    result.push_back(message.body());
  }
  return result;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Messages, ASentMessageIsInBothViews) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  const auto sent = api.send(alice, "BOB", "hello");
  EXPECT_EQ(sent.sender(), "alice");
  EXPECT_EQ(sent.recipient(), "bob");
  EXPECT_EQ(sent.recipient_id(), bob.id);
  EXPECT_FALSE(sent.request_id().empty());
  EXPECT_FALSE(sent.read());
  v1::ListMessagesRequest request;
  const auto inbox = api.call<v1::ListMessagesResponse>(request, bob.authorization());
  ASSERT_TRUE(inbox);
  ASSERT_EQ(inbox->messages_size(), 1);
  EXPECT_EQ(inbox->messages(0).id(), sent.id());
  EXPECT_EQ(inbox->messages(0).request_id(), "") << "only its author's";
  request.set_peer("bob");
  const auto conversation = api.call<v1::ListMessagesResponse>(request, alice.authorization());
  ASSERT_TRUE(conversation);
  ASSERT_EQ(conversation->messages_size(), 1);
  EXPECT_EQ(conversation->messages(0).request_id(), sent.request_id());
}

TEST(Messages, AMessageToOneselfIsBornRead) {
  Api api;
  const User alice = api.create("alice");
  EXPECT_TRUE(api.send(alice, "alice", "note").read());
}

TEST(Messages, MarkReadAnswersWithTheIdsItAppliedTo) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  const auto first = api.send(alice, "bob", "one");
  const auto second = api.send(alice, "bob", "two");
  v1::MarkReadRequest request;
  request.add_message_ids(second.id());
  request.add_message_ids(first.id());
  request.add_message_ids(999'999);
  const auto not_hers = api.call<v1::MarkReadResponse>(request, alice.authorization());
  ASSERT_FALSE(not_hers) << "only the recipient marks";
  EXPECT_EQ(not_hers.error().code, base::Code::not_found);
  const auto marked = api.call<v1::MarkReadResponse>(request, bob.authorization());
  ASSERT_TRUE(marked);
  EXPECT_THAT(marked->message_ids(), testing::UnorderedElementsAre(first.id(), second.id()));
  v1::ListMessagesRequest unread;
  unread.set_unread_only(true);
  const auto left = api.call<v1::ListMessagesResponse>(unread, bob.authorization());
  ASSERT_TRUE(left);
  EXPECT_THAT(bodies(*left), IsEmpty());
}

TEST(Messages, UnreadCountsAndConversations) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  const User carol = api.create("carol");
  (void)api.send(alice, "carol", "one");
  (void)api.send(alice, "carol", "two");
  (void)api.send(bob, "carol", "three");
  const auto counts =
      api.call<v1::GetUnreadCountsResponse>(v1::GetUnreadCountsRequest(), carol.authorization());
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->total(), 3U);
  EXPECT_EQ(counts->counts_size(), 2);
  const auto conversations =
      api.call<v1::ListConversationsResponse>(v1::ListConversationsRequest(), carol.authorization());
  ASSERT_TRUE(conversations);
  ASSERT_EQ(conversations->conversations_size(), 2);
  EXPECT_EQ(conversations->conversations(0).peer(), "bob") << "newest first";
  EXPECT_EQ(conversations->conversations(1).last_message().body(), "two");
  EXPECT_EQ(conversations->conversations(1).unread_count(), 2U);
}

TEST(Messages, ADeletedMessageLeavesOneViewOnly) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  const auto sent = api.send(alice, "bob", "hello");
  v1::DeleteMessagesRequest request;
  request.add_message_ids(sent.id());
  ASSERT_TRUE(api.call<v1::DeleteMessagesResponse>(request, bob.authorization()));
  const auto inbox = api.call<v1::ListMessagesResponse>(v1::ListMessagesRequest(), bob.authorization());
  ASSERT_TRUE(inbox);
  EXPECT_THAT(bodies(*inbox), IsEmpty());
  v1::ListMessagesRequest conversation;
  conversation.set_conversation_id(sent.conversation_id());
  const auto hers = api.call<v1::ListMessagesResponse>(conversation, alice.authorization());
  ASSERT_TRUE(hers);
  EXPECT_THAT(bodies(*hers), ElementsAre("hello"));
}

TEST(Messages, PagesOfTheInboxInBothOrders) {
  Api api;
  const User alice = api.create("alice");
  for (const char* body : {"1", "2", "3"}) {
    (void)api.send(alice, "alice", body);
  }
  v1::ListMessagesRequest request;
  request.set_page_size(2);
  const auto first = api.call<v1::ListMessagesResponse>(request, alice.authorization());
  ASSERT_TRUE(first);
  EXPECT_THAT(bodies(*first), ElementsAre("1", "2"));
  (void)api.send(alice, "alice", "4");
  request.set_page_token(first->next_page_token());
  const auto second = api.call<v1::ListMessagesResponse>(request, alice.authorization());
  ASSERT_TRUE(second);
  EXPECT_THAT(bodies(*second), ElementsAre("3", "4"));
  v1::ListMessagesRequest newest;
  newest.set_newest_first(true);
  newest.set_page_size(1);
  const auto last = api.call<v1::ListMessagesResponse>(newest, alice.authorization());
  ASSERT_TRUE(last);
  EXPECT_THAT(bodies(*last), ElementsAre("4"));
}

TEST(Messages, NobodyElseSeesOrTouchesThem) {
  Api api;
  const User alice = api.create("alice");
  (void)api.create("bob");
  const User eve = api.create("eve");
  const auto sent = api.send(alice, "bob", "for bob alone");
  v1::ListMessagesRequest look;
  look.set_conversation_id(sent.conversation_id());
  const auto seen = api.call<v1::ListMessagesResponse>(look, eve.authorization());
  EXPECT_TRUE(!seen || seen->messages_size() == 0);
  v1::DeleteMessagesRequest remove;
  remove.add_message_ids(sent.id());
  EXPECT_FALSE(api.call<v1::DeleteMessagesResponse>(remove, eve.authorization()));
  v1::MarkReadRequest mark;
  mark.add_message_ids(sent.id());
  EXPECT_FALSE(api.call<v1::MarkReadResponse>(mark, eve.authorization()));
}

TEST(Messages, AStaleReadSaysHowOldItIs) {
  Api api;
  const User alice = api.create("alice");
  v1::ListMessagesRequest request;
  request.set_stale(true);
  const auto barriers = api.node.linearizable_reads();
  const auto inbox = api.call<v1::ListMessagesResponse>(request, alice.authorization());
  ASSERT_TRUE(inbox);
  EXPECT_TRUE(inbox->as_of().has_age_ms());
  EXPECT_EQ(api.node.linearizable_reads(), barriers);
}

}  // namespace
}  // namespace parley::test
