// Sending, listing, marking, deleting (design.md, Messages).
#include <gmock/gmock.h>

#include "chat/errors.h"
#include "tests/chat/chat_world.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::User;
using testing::with;
using testing::World;

TEST(Messages, SendAndList) {
  World world;
  const User ada = world.create("ada");
  const User bob = world.create("bob");
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
  EXPECT_THAT(world.ids(bob, with("ada")), ElementsAre(sent.message.id, answer));
  EXPECT_THAT(world.ids(bob, {.peer = "ada", .newest_first = true}), ElementsAre(answer, sent.message.id));
  const auto seen_by_bob = world.messages(bob, with("ada"));
  EXPECT_EQ(seen_by_bob[0].body, "hi bob");
  EXPECT_EQ(seen_by_bob[0].request_id, "") << "shown to its author only";
  EXPECT_EQ(world.messages(ada, with("bob"))[0].request_id, sent.message.request_id);
}

TEST(Messages, UnknownRecipient) {
  World world;
  const User ada = world.create("ada");
  const auto result = world.try_send(ada, "nobody");
  EXPECT_EQ(result.verdict, Verdict::no_such_recipient);
  const auto error = to_error(result);
  EXPECT_EQ(error.code, base::Code::not_found);
  EXPECT_EQ(error.message, "Recipient does not exist.");
  EXPECT_EQ(error.position, world.position());
}

}  // namespace
}  // namespace parley::chat
