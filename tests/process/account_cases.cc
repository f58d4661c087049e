// Cases about accounts and sessions.
#include <algorithm>
#include <cctype>
#include <memory>

#include "tests/process/case_checks.h"
#include "tests/process/cases.h"

namespace parley::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Two {
  Two(const World& world, const std::string& prefix, const std::string& name)
      : ann(world, prefix + name + ".ann"), bob(world, prefix + name + ".bob") {}
  Person ann;
  Person bob;
};

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

Case create(const World& world, const std::string& prefix) {
  auto two = std::make_shared<Two>(world, prefix, "create");
  auto same = std::make_shared<Person>(world, two->ann.name());
  auto folded = std::make_shared<Person>(world, upper(two->bob.name()));
  return {
      "Create",
      {{"create", [two] { PARLEY_ASSERT_OK(two->ann.sign_up()); }},
       {"taken name", [same] { PARLEY_EXPECT_REFUSED(same->sign_up(), already_exists); }},
       {"upper case is folded",
        [two, folded] {
          const auto answer = folded->sign_up();
          PARLEY_ASSERT_OK(answer);
          EXPECT_EQ(answer->account().name(), two->bob.name());
        }},
       {"taken name in another case", [two] { PARLEY_EXPECT_REFUSED(two->bob.sign_up(), already_exists); }},
       {"the first is still there", [two] {
          const auto found = two->ann.look_up(two->ann.name());
          PARLEY_ASSERT_OK(found);
          EXPECT_EQ(found->id(), two->ann.id());
        }}}};
}

Case log_in(const World& world, const std::string& prefix) {
  auto two = std::make_shared<Two>(world, prefix, "login");
  auto again = std::make_shared<Person>(world, two->ann.name());
  auto wrong = std::make_shared<Person>(world, two->ann.name());
  wrong->set_password("wrong horse");
  auto nobody = std::make_shared<Person>(world, prefix + "login.nobody");
  auto why = std::make_shared<std::string>();
  return {"LogIn",
          {{"create", [two] { PARLEY_ASSERT_OK(two->ann.sign_up()); }},
           {"log in",
            [two, again] {
              PARLEY_ASSERT_OK(again->log_in());
              EXPECT_EQ(again->id(), two->ann.id());
              EXPECT_NE(again->token(), two->ann.token());
            }},
           {"wrong password",
            [wrong, why] {
              const auto answer = wrong->log_in();
              PARLEY_EXPECT_REFUSED(answer, unauthenticated);
              *why = answer ? "" : answer.error().message;
            }},
           {"unknown name: the very same answer",
            [nobody, why] {
              const auto answer = nobody->log_in();
              PARLEY_EXPECT_REFUSED(answer, unauthenticated);
              EXPECT_EQ(answer ? "-" : answer.error().message, *why);
            }},
           {"both sessions are good",
            [two, again] {
              PARLEY_ASSERT_OK(two->ann.unread());
              PARLEY_ASSERT_OK(again->unread());
            }},
           {"log out of one", [again] { PARLEY_ASSERT_OK(again->log_out()); }},
           {"it is refused, the other is good", [two, again] {
              PARLEY_EXPECT_REFUSED(again->unread(), unauthenticated);
              PARLEY_EXPECT_REFUSED(again->send(two->ann.name(), "after"), unauthenticated);
              PARLEY_ASSERT_OK(two->ann.unread());
            }}}};
}

Case password(const World& world, const std::string& prefix) {
  auto two = std::make_shared<Two>(world, prefix, "passwd");
  auto other = std::make_shared<Person>(world, two->ann.name());
  return {
      "ChangePassword",
      {{"create", [two] { PARLEY_ASSERT_OK(two->ann.sign_up()); }},
       {"another session", [other] { PARLEY_ASSERT_OK(other->log_in()); }},
       {"with a wrong password",
        [two] {
          two->ann.set_password("wrong horse");
          PARLEY_EXPECT_REFUSED(two->ann.change_password("battery staple"), unauthenticated);
          two->ann.set_password("correct horse");
        }},
       {"change", [two] { PARLEY_ASSERT_OK(two->ann.change_password("battery staple")); }},
       {"other sessions have ended, this one goes on",
        [two, other] {
          PARLEY_EXPECT_REFUSED(other->unread(), unauthenticated);
          PARLEY_ASSERT_OK(two->ann.unread());
        }},
       {"the old password is refused", [other] { PARLEY_EXPECT_REFUSED(other->log_in(), unauthenticated); }},
       {"the new one is good", [other] {
          other->set_password("battery staple");
          PARLEY_ASSERT_OK(other->log_in());
        }}}};
}

Case look_up(const World& world, const std::string& prefix) {
  auto two = std::make_shared<Two>(world, prefix, "lookup");
  return {"LookUp",
          {{"create",
            [two] {
              PARLEY_ASSERT_OK(two->ann.sign_up());
              PARLEY_ASSERT_OK(two->bob.sign_up());
            }},
           {"found",
            [two] {
              const auto found = two->ann.look_up(upper(two->bob.name()));
              PARLEY_ASSERT_OK(found);
              EXPECT_EQ(found->name(), two->bob.name());
              EXPECT_EQ(found->id(), two->bob.id());
            }},
           {"nobody there", [two, prefix] {
              PARLEY_EXPECT_REFUSED(two->ann.look_up(prefix + "lookup.nobody"), not_found);
            }}}};
}

Case list_accounts(const World& world, const std::string& prefix) {
  auto people = std::make_shared<std::vector<Person>>();
  for (const std::string name : {"a1", "a2", "b1", "b2", "b3"}) {
    people->emplace_back(world, prefix + "list." + name);
  }
  const std::string begin = prefix + "list.";
  const auto expect = [people, begin](const std::string& glob, std::int32_t page_size, const auto& matcher) {
    return [people, begin, glob, page_size, matcher] {
      const auto names = people->front().accounts(begin + glob, page_size);
      PARLEY_ASSERT_OK(names);
      EXPECT_THAT(*names, matcher);
    };
  };
  return {
      "ListByGlob",
      {{"create",
        [people] {
          for (Person& person : *people) {
            PARLEY_ASSERT_OK(person.sign_up());
          }
        }},
       {"no match", expect("z*", 0, IsEmpty())},
       {"some", expect("a?", 0, ElementsAre(begin + "a1", begin + "a2"))},
       {"some, by a class", expect("[ab]2", 0, ElementsAre(begin + "a2", begin + "b2"))},
       {"all, in pages of two",
        expect("*", 2, ElementsAre(begin + "a1", begin + "a2", begin + "b1", begin + "b2", begin + "b3"))},
       {"everybody", [people] {
          const auto names = people->front().accounts("*");
          PARLEY_ASSERT_OK(names);
          for (const Person& person : *people) {
            EXPECT_THAT(*names, ::testing::Contains(person.name()));
          }
        }}}};
}

// must-pass J21 is the last step but one.
Case delete_account(const World& world, const std::string& prefix) {
  auto two = std::make_shared<Two>(world, prefix, "gone");
  auto again = std::make_shared<Person>(world, two->bob.name());
  return {"DeleteAccount",
          {{"create and talk",
            [two] {
              PARLEY_ASSERT_OK(two->ann.sign_up());
              PARLEY_ASSERT_OK(two->bob.sign_up());
              PARLEY_ASSERT_OK(two->ann.send(two->bob.name(), "to bob"));
              PARLEY_ASSERT_OK(two->bob.send(two->ann.name(), "from bob"));
            }},
           {"with a wrong password",
            [two] {
              two->bob.set_password("wrong horse");
              PARLEY_EXPECT_REFUSED(two->bob.delete_account(), unauthenticated);
              two->bob.set_password("correct horse");
            }},
           {"delete", [two] { PARLEY_ASSERT_OK(two->bob.delete_account()); }},
           {"gone from the lists",
            [two] {
              PARLEY_EXPECT_REFUSED(two->ann.look_up(two->bob.name()), not_found);
              const auto names = two->ann.accounts(two->bob.name());
              PARLEY_ASSERT_OK(names);
              EXPECT_THAT(*names, IsEmpty());
            }},
           {"its sessions have ended, it cannot log in",
            [two] {
              PARLEY_EXPECT_REFUSED(two->bob.unread(), unauthenticated);
              PARLEY_EXPECT_REFUSED(two->bob.log_in(), unauthenticated);
            }},
           {"what it received is hidden from both, what it sent stays",
            [two] {
              const auto conversations = two->ann.conversations();
              PARLEY_ASSERT_OK(conversations);
              ASSERT_EQ(conversations->conversations_size(), 1);
              EXPECT_TRUE(conversations->conversations(0).peer_gone());
              EXPECT_EQ(conversations->conversations(0).last_message().body(), "from bob");
              const auto inbox = two->ann.bodies({});
              PARLEY_ASSERT_OK(inbox);
              EXPECT_THAT(*inbox, ElementsAre("from bob"));
            }},
           {"sending to it is refused",
            [two] {
              const auto sent = two->ann.send(two->bob.name(), "too late");
              PARLEY_EXPECT_REFUSED(sent, not_found);
              EXPECT_EQ(sent ? "" : sent.error().message, "Recipient does not exist.");
            }},
           {"its name again is another account and inherits nothing",
            [two, again] {
              PARLEY_ASSERT_OK(again->sign_up());
              EXPECT_NE(again->id(), two->bob.id());
              const auto inbox = again->bodies({});
              PARLEY_ASSERT_OK(inbox);
              EXPECT_THAT(*inbox, IsEmpty());
              const auto history = again->bodies({.peer = two->ann.name()});
              PARLEY_ASSERT_OK(history);
              EXPECT_THAT(*history, IsEmpty());
            }},
           {"a reply to the old account is not delivered to the new one",
            [two] {
              PARLEY_EXPECT_REFUSED(two->ann.send(two->bob.name(), "a reply", two->bob.id()), not_found);
            }},
           {"the new account has its own conversation", [two, again] {
              PARLEY_ASSERT_OK(two->ann.send(two->bob.name(), "welcome", again->id()));
              const auto inbox = again->bodies({});
              PARLEY_ASSERT_OK(inbox);
              EXPECT_THAT(*inbox, ElementsAre("welcome"));
            }}}};
}

}  // namespace

std::vector<Case> account_cases(const World& world, const std::string& prefix) {
  return {create(world, prefix),  log_in(world, prefix),        password(world, prefix),
          look_up(world, prefix), list_accounts(world, prefix), delete_account(world, prefix)};
}

std::vector<Case> all_cases(const World& world, const std::string& prefix) {
  std::vector<Case> cases = account_cases(world, prefix);
  std::ranges::move(message_cases(world, prefix), std::back_inserter(cases));
  return cases;
}

}  // namespace parley::testing
