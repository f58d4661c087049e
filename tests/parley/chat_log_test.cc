#include "parley/chat_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

v1::Message message(std::uint64_t id, std::uint64_t sender, std::uint64_t recipient,
                    const std::string& body) {
  v1::Message message;
  message.set_id(id);
  message.set_sender_id(sender);
  message.set_sender(sender == 2 ? "bob" : sender == 3 ? "eve" : "ann");
  message.set_recipient_id(recipient);
  message.set_body(body);
  return message;
}

ChatLog log_of_ann_and_bob() { return ChatLog({.own_id = 1, .peer_id = 2, .peer = "bob"}); }

TEST(ChatLog, EveryMessageOnceHoweverItBecameKnown) {
  ChatLog log = log_of_ann_and_bob();
  EXPECT_THAT(log.message(message(7, 2, 1, "hi")), Optional(HasSubstr("bob: hi")));
  v1::WatchResponse event;
  event.set_position(7);
  *event.mutable_message() = message(7, 2, 1, "hi");
  EXPECT_EQ(log.event(event), std::nullopt);
  EXPECT_THAT(log.message(message(8, 1, 2, "yes?")), Optional(HasSubstr("you: yes?")));
}

TEST(ChatLog, UnreadOnceItIsShown) {
  ChatLog log = log_of_ann_and_bob();
  v1::Message old = message(5, 2, 1, "old");
  old.set_read(true);
  for (const auto& one : {old, message(6, 1, 2, "own"), message(7, 2, 1, "new")}) {
    EXPECT_TRUE(log.message(one).has_value());
  }
  EXPECT_THAT(log.take_unread(), ElementsAre(7));
  EXPECT_THAT(log.take_unread(), IsEmpty());
}

TEST(ChatLog, OthersAreOnlyAnnounced) {
  ChatLog log = log_of_ann_and_bob();
  EXPECT_THAT(log.message(message(7, 3, 1, "psst")), Optional(HasSubstr("eve wrote to you")));
  EXPECT_EQ(log.message(message(8, 1, 3, "what?")), std::nullopt);
  EXPECT_THAT(log.take_unread(), IsEmpty());
}

TEST(ChatLog, TheOldAccountOfANameIsNotThisOne) {
  ChatLog log = log_of_ann_and_bob();
  v1::WatchResponse gone;
  gone.mutable_account_gone()->set_account_id(9);
  EXPECT_EQ(log.event(gone), std::nullopt);
  gone.mutable_account_gone()->set_account_id(2);
  EXPECT_THAT(log.event(gone), Optional(HasSubstr("bob has deleted")));
}

}  // namespace
}  // namespace parley::cli
