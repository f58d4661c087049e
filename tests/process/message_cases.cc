// Cases about messages.
#include <memory>

#include "tests/process/case_checks.h"
#include "tests/process/cases.h"

namespace parley::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three people, and the messages that a case remembers.
struct Three {
  Three(const World& world, const std::string& prefix, const std::string& name)
      : ann(world, prefix + name + ".ann"),
        bob(world, prefix + name + ".bob"),
        eve(world, prefix + name + ".eve") {}
  Person ann;
  Person bob;
  Person eve;
  std::vector<std::uint64_t> ids;
  v1::Message message;
  std::string page_token;
};
using ThreePtr = std::shared_ptr<Three>;

Step sign_up(const ThreePtr& three) {
  return {"create", [three] {
            PARLEY_ASSERT_OK(three->ann.sign_up());
            PARLEY_ASSERT_OK(three->bob.sign_up());
            PARLEY_ASSERT_OK(three->eve.sign_up());
          }};
}

// Keeps the id.
void send(Three& three, Person& from, const Person& to, const std::string& body) {
  const auto sent = from.send(to.name(), body);
  PARLEY_ASSERT_OK(sent);
  three.ids.push_back(sent->id());
}

void expect_bodies(Person& person, const Page& page,
                   const ::testing::Matcher<std::vector<std::string>>& matcher) {
  const auto bodies = person.bodies(page);
  PARLEY_ASSERT_OK(bodies);
  EXPECT_THAT(*bodies, matcher);
}

Case send_one(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "send");
  return {"Send",
          {sign_up(three),
           {"unknown recipient",
            [three, prefix] {
              const auto sent = three->ann.send(prefix + "send.nobody", "hello?");
              PARLEY_EXPECT_REFUSED(sent, not_found);
              EXPECT_EQ(sent ? "" : sent.error().message, "Recipient does not exist.");
            }},
           {"send",
            [three] {
              const auto sent = three->ann.send(three->bob.name(), "Grüße \xf0\x9f\x91\x8b\nsecond line");
              PARLEY_ASSERT_OK(sent);
              three->message = *sent;
              EXPECT_EQ(sent->sender(), three->ann.name());
              EXPECT_EQ(sent->recipient(), three->bob.name());
              EXPECT_EQ(sent->recipient_id(), three->bob.id());
              EXPECT_FALSE(sent->read());
              EXPECT_NE(sent->request_id(), "");
            }},
           {"the recipient has it, without the author's request_id",
            [three] {
              const auto inbox = three->bob.list({});
              PARLEY_ASSERT_OK(inbox);
              ASSERT_EQ(inbox->messages_size(), 1);
              EXPECT_EQ(inbox->messages(0).id(), three->message.id());
              EXPECT_EQ(inbox->messages(0).body(), three->message.body());
              EXPECT_EQ(inbox->messages(0).request_id(), "");
            }},
           {"the author has it in the conversation, not in the inbox",
            [three] {
              expect_bodies(three->ann, {}, IsEmpty());
              expect_bodies(three->ann, {.peer = three->bob.name()}, ElementsAre(three->message.body()));
            }},
           {"nobody else has it", [three] { expect_bodies(three->eve, {}, IsEmpty()); }},
           {"to oneself: born read", [three] {
              const auto sent = three->ann.send(three->ann.name(), "note");
              PARLEY_ASSERT_OK(sent);
              EXPECT_TRUE(sent->read());
              const auto unread = three->ann.unread();
              PARLEY_ASSERT_OK(unread);
              EXPECT_EQ(unread->total(), 0U);
            }}}};
}

Case list_messages(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "msgs");
  return {"List",
          {sign_up(three),
           {"talk",
            [three] {
              send(*three, three->ann, three->bob, "1 ann");
              send(*three, three->eve, three->bob, "2 eve");
              send(*three, three->bob, three->ann, "3 bob");
              send(*three, three->ann, three->bob, "4 ann");
            }},
           {"the inbox, in order",
            [three] { expect_bodies(three->bob, {}, ElementsAre("1 ann", "2 eve", "4 ann")); }},
           {"newest first",
            [three] {
              expect_bodies(three->bob, {.newest_first = true}, ElementsAre("4 ann", "2 eve", "1 ann"));
            }},
           {"one conversation",
            [three] {
              const auto expected = ElementsAre("1 ann", "3 bob", "4 ann");
              expect_bodies(three->bob, {.peer = three->ann.name()}, expected);
              expect_bodies(three->ann, {.peer = three->bob.name()}, expected);
            }},
           {"read one", [three] { PARLEY_ASSERT_OK(three->bob.mark_read({three->ids[0]})); }},
           {"unread only",
            [three] {
              expect_bodies(three->bob, {.unread_only = true}, ElementsAre("2 eve", "4 ann"));
              expect_bodies(three->bob, {.peer = three->ann.name(), .unread_only = true},
                            ElementsAre("4 ann"));
            }},
           {"conversations, newest first", [three] {
              const auto answer = three->bob.conversations();
              PARLEY_ASSERT_OK(answer);
              ASSERT_EQ(answer->conversations_size(), 2);
              EXPECT_EQ(answer->conversations(0).peer(), three->ann.name());
              EXPECT_EQ(answer->conversations(0).last_message().body(), "4 ann");
              EXPECT_EQ(answer->conversations(0).unread_count(), 1U);
              EXPECT_EQ(answer->conversations(1).peer(), three->eve.name());
            }}}};
}

Case pages(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "pages");
  return {"PagesWhileMessagesComeAndGo",
          {sign_up(three),
           {"talk",
            [three] {
              for (const char* const body : {"1", "2", "3", "4", "5"}) {
                send(*three, three->ann, three->bob, body);
              }
            }},
           {"first page",
            [three] {
              const auto page = three->bob.list({.size = 2});
              PARLEY_ASSERT_OK(page);
              ASSERT_EQ(page->messages_size(), 2);
              EXPECT_EQ(page->messages(1).body(), "2");
              three->page_token = page->next_page_token();
              EXPECT_NE(three->page_token, "");
            }},
           {"messages come and go",
            [three] {
              PARLEY_ASSERT_OK(three->bob.remove({three->ids[0], three->ids[3]}));
              send(*three, three->ann, three->bob, "6");
            }},
           {"the next page goes on where the first ended",
            [three] {
              const auto page = three->bob.list({.size = 2, .token = three->page_token});
              PARLEY_ASSERT_OK(page);
              ASSERT_EQ(page->messages_size(), 2);
              EXPECT_EQ(page->messages(0).body(), "3");
              EXPECT_EQ(page->messages(1).body(), "5");
              three->page_token = page->next_page_token();
            }},
           {"and the last one has what came",
            [three] {
              const auto page = three->bob.list({.size = 2, .token = three->page_token});
              PARLEY_ASSERT_OK(page);
              ASSERT_EQ(page->messages_size(), 1);
              EXPECT_EQ(page->messages(0).body(), "6");
              EXPECT_EQ(page->next_page_token(), "");
            }},
           {"a token of another's list is refused", [three] {
              PARLEY_EXPECT_REFUSED(three->ann.list({.size = 2, .token = three->page_token}),
                                    invalid_argument);
            }}}};
}

Case unread_counts(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "counts");
  const auto expect = [three](std::uint64_t total, std::uint32_t from_ann) {
    return [three, total, from_ann] {
      const auto unread = three->bob.unread();
      PARLEY_ASSERT_OK(unread);
      EXPECT_EQ(unread->total(), total);
      std::uint32_t of_ann = 0;
      for (const v1::UnreadCount& count : unread->counts()) {
        of_ann += count.peer() == three->ann.name() ? count.unread_count() : 0;
      }
      EXPECT_EQ(of_ann, from_ann);
    };
  };
  return {"UnreadCounts",
          {sign_up(three),
           {"none", expect(0, 0)},
           {"talk",
            [three] {
              send(*three, three->ann, three->bob, "1");
              send(*three, three->ann, three->bob, "2");
              send(*three, three->eve, three->bob, "3");
              send(*three, three->bob, three->ann, "own ones do not count");
            }},
           {"three", expect(3, 2)},
           {"read one", [three] { PARLEY_ASSERT_OK(three->bob.mark_read({three->ids[0]})); }},
           {"two", expect(2, 1)},
           {"delete one", [three] { PARLEY_ASSERT_OK(three->bob.remove({three->ids[1]})); }},
           {"one", expect(1, 0)}}};
}

Case mark_read(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "read");
  return {"MarkRead",
          {sign_up(three),
           {"talk",
            [three] {
              send(*three, three->ann, three->bob, "1");
              send(*three, three->ann, three->bob, "2");
              send(*three, three->ann, three->eve, "not bob's");
            }},
           {"only the recipient can",
            [three] {
              PARLEY_EXPECT_REFUSED(three->ann.mark_read({three->ids[0]}), not_found);
              PARLEY_EXPECT_REFUSED(three->eve.mark_read({three->ids[0]}), not_found);
            }},
           {"a set applies to what it may",
            [three] {
              const auto answer = three->bob.mark_read({three->ids[0], three->ids[2], 1});
              PARLEY_ASSERT_OK(answer);
              EXPECT_THAT(answer->message_ids(), ElementsAre(three->ids[0]));
            }},
           {"the author sees it",
            [three] {
              const auto list = three->ann.list({.peer = three->bob.name()});
              PARLEY_ASSERT_OK(list);
              ASSERT_EQ(list->messages_size(), 2);
              EXPECT_TRUE(list->messages(0).read());
              EXPECT_FALSE(list->messages(1).read());
            }},
           {"none at all",
            [three] { PARLEY_EXPECT_REFUSED(three->bob.mark_read({three->ids[2]}), not_found); }}}};
}

Case remove(const World& world, const std::string& prefix) {
  auto three = std::make_shared<Three>(world, prefix, "del");
  return {"Delete",
          {sign_up(three),
           {"talk",
            [three] {
              send(*three, three->ann, three->bob, "1");
              send(*three, three->ann, three->bob, "2");
            }},
           {"a stranger cannot",
            [three] { PARLEY_EXPECT_REFUSED(three->eve.remove({three->ids[0]}), not_found); }},
           {"the recipient deletes one",
            [three] {
              const auto answer = three->bob.remove({three->ids[0]});
              PARLEY_ASSERT_OK(answer);
              EXPECT_THAT(answer->message_ids(), ElementsAre(three->ids[0]));
            }},
           {"from the own view alone",
            [three] {
              expect_bodies(three->bob, {}, ElementsAre("2"));
              expect_bodies(three->bob, {.peer = three->ann.name()}, ElementsAre("2"));
              expect_bodies(three->ann, {.peer = three->bob.name()}, ElementsAre("1", "2"));
            }},
           {"again: there is none",
            [three] { PARLEY_EXPECT_REFUSED(three->bob.remove({three->ids[0]}), not_found); }},
           {"the author deletes both",
            [three] { PARLEY_ASSERT_OK(three->ann.remove({three->ids[0], three->ids[1]})); }},
           {"the recipient keeps the rest", [three] {
              expect_bodies(three->ann, {.peer = three->bob.name()}, IsEmpty());
              expect_bodies(three->bob, {}, ElementsAre("2"));
            }}}};
}

}  // namespace

std::vector<Case> message_cases(const World& world, const std::string& prefix) {
  return {send_one(world, prefix),      list_messages(world, prefix), pages(world, prefix),
          unread_counts(world, prefix), mark_read(world, prefix),     remove(world, prefix)};
}

}  // namespace parley::testing
