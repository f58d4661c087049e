// What is checked before the log: names, globs, limits, tokens, digests, and the bytes of commands.
#include <gmock/gmock.h>
#include <rapidcheck.h>

#include <random>

#include "base/limits.h"
#include "chat/command.h"
#include "chat/errors.h"
#include "chat/glob.h"
#include "chat/names.h"
#include "chat/request_digest.h"
#include "chat/result.h"
#include "chat/token.h"
#include "chat/validate.h"
#include "parley/internal/v1/command.pb.h"

namespace parley::chat {
namespace {

using ::testing::ElementsAre;

TEST(Names, FoldAndCheck) {
  EXPECT_EQ(*check_name("Ada.Love_lace-1"), "ada.love_lace-1");
  EXPECT_EQ(*check_name(std::string(32, 'A')), std::string(32, 'a'));
  for (const std::string& name : {std::string(), std::string(33, 'a'), std::string("a b"), std::string("a\n"),
                                  std::string("\xc3\xa4"), std::string("a\0", 2), std::string("a/b")}) {
    const auto error = check_name(name, "recipient").error();
    EXPECT_EQ(error.code, base::Code::invalid_argument);
    EXPECT_EQ(error.field, "recipient");
    EXPECT_FALSE(error.limit.empty());
  }
}

TEST(Limits, EachIsNamed) {
  EXPECT_TRUE(check_password(std::string(8, 'x')).has_value());
  EXPECT_TRUE(check_password(std::string(128, 'x')).has_value());
  EXPECT_EQ(check_password(std::string(7, 'x')).error().limit, "8 to 128 bytes");
  EXPECT_EQ(check_password(std::string(129, 'x'), "new_password").error().field, "new_password");
  EXPECT_TRUE(check_body(std::string(base::kMaxBodyBytes, 'x')).has_value());
  EXPECT_EQ(check_body("").error().limit, "1 to 16384 bytes");
  EXPECT_EQ(check_body(std::string(base::kMaxBodyBytes + 1, 'x')).error().limit, "1 to 16384 bytes");
  EXPECT_EQ(check_request_id("nonsense").error().field, "request_id");
  EXPECT_EQ(*check_page_size(0), 50);
  EXPECT_EQ(*check_page_size(7), 7);
  EXPECT_EQ(*check_page_size(100'000), 500);
  EXPECT_EQ(check_page_size(-1).error().field, "page_size");
  std::vector<std::uint64_t> ids(1'001, 1);
  EXPECT_EQ(check_message_ids(ids).error().limit, "1 to 1000 ids");
  EXPECT_EQ(check_message_ids({}).error().limit, "1 to 1000 ids");
  ids.resize(1'000);
  EXPECT_THAT(*check_message_ids(ids), ElementsAre(MessageId(1))) << "each once";
  ids[5] = 0;
  EXPECT_FALSE(check_message_ids(ids).has_value());
}

TEST(Limits, Utf8) {
  for (const char* good : {"plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "a\tb\n"}) {
    EXPECT_TRUE(check_body(good).has_value()) << good;
  }
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80", "\xe2\x82"}) {
    EXPECT_EQ(check_body(bad).error().reason, "INVALID_UTF8");
  }
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
}

TEST(Globs, Matching) {
  const auto matches = [](std::string_view pattern, std::string_view name) {
    return Glob::parse(pattern).value().matches(name);
  };
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("*", "a"));
  EXPECT_TRUE(matches("A*A", "ada"));
  EXPECT_FALSE(matches("a*a", "a"));
  EXPECT_TRUE(matches("?da", "ada"));
  EXPECT_FALSE(matches("?da", "da"));
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[a-c]x", "dx"));
  EXPECT_TRUE(matches("[!a-c]x", "dx"));
  EXPECT_TRUE(matches("[^a-c]x", "dx"));
  EXPECT_TRUE(matches("[-a]x", "-x"));
  EXPECT_TRUE(matches("[a-]x", "-x"));
  EXPECT_FALSE(matches("[]]x", "ax"));
  EXPECT_FALSE(matches("\xc3\xa4", "a"));
  EXPECT_EQ(Glob::parse("ab?c")->prefix(), "ab");
  EXPECT_EQ(Glob::parse("*ab")->prefix(), "");
  EXPECT_EQ(Glob::parse("ab")->prefix(), "ab");
  EXPECT_FALSE(Glob::parse("[a").has_value());
  EXPECT_FALSE(Glob::parse("[z-a]").has_value());
  EXPECT_TRUE(Glob::parse(std::string(64, '*')).has_value());
  EXPECT_EQ(check_glob(std::string(65, '*')).error().limit, "64 characters");
  std::string umlauts;
  for (int i = 0; i < 64; ++i) {
    umlauts += "\xc3\xa4";
  }
  EXPECT_TRUE(Glob::parse(umlauts).has_value()) << "64 characters, not bytes";
}

bool reference_match(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) {
    return name.empty();
  }
  if (pattern[0] == '*') {
    return reference_match(pattern.substr(1), name) ||
           (!name.empty() && reference_match(pattern, name.substr(1)));
  }
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) &&
         reference_match(pattern.substr(1), name.substr(1));
}

TEST(Globs, AgreeWithTheDefinition) {
  EXPECT_TRUE(rc::check([] {
    const auto pattern = *rc::gen::resize(
        10, rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', '*', '?'))));
    const auto name = *rc::gen::resize(10, rc::gen::container<std::string>(rc::gen::element('a', 'b')));
    const auto glob = Glob::parse(pattern);
    RC_ASSERT(glob.has_value());
    RC_ASSERT(glob->matches(name) == reference_match(pattern, name));
    RC_ASSERT(!glob->matches(name) || name.starts_with(glob->prefix()));
  }));
}

TEST(Tokens, OnlyOursAreGood) {
  const TokenKey key = derive_token_key("seed of one cluster");
  const TokenKey other = derive_token_key("seed of another");
  std::array<std::uint8_t, 32> random{};
  random.fill(42);
  const NewToken token = make_token(key, random);
  EXPECT_EQ(token.text.size(), 54U);
  EXPECT_EQ(check_token(key, token.text), token.hash);
  EXPECT_FALSE(check_token(other, token.text).has_value());
  for (std::size_t i = 0; i < token.text.size(); ++i) {
    std::string wrong = token.text;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(check_token(key, wrong).has_value()) << i;
    EXPECT_FALSE(check_token(key, token.text.substr(0, i)).has_value()) << i;
  }
  EXPECT_FALSE(check_token(key, token.text + "A").has_value());
  EXPECT_FALSE(check_token(key, token.text + "=").has_value());
  EXPECT_FALSE(check_token(key, std::string(1'000'000, 'A')).has_value());
  random.fill(43);
  EXPECT_NE(make_token(key, random).hash, token.hash);
}

RequestKey some_key() {
  RequestKey key{.content_digest = 7};
  key.id.bytes.fill(1);
  return key;
}
SessionHash some_session() {
  SessionHash session;
  session.bytes.fill(2);
  return session;
}

std::vector<Command> one_of_each() {
  const RequestKey key = some_key();
  const Authority who{.account = AccountId(5), .session = some_session()};
  return {
      CreateAccount{.request = key, .name = "ada", .password_hash = "h", .session = some_session()},
      LogIn{
          .request = key, .account = AccountId(5), .checked = PasswordVersion(2), .session = some_session()},
      LogOut{.request = key, .authority = who},
      ChangePassword{
          .request = key, .authority = who, .checked = PasswordVersion(1), .new_password_hash = "n"},
      DeleteAccount{.request = key, .authority = who, .checked = PasswordVersion(3)},
      SendMessage{.request = key,
                  .authority = who,
                  .recipient = "bob",
                  .recipient_id = AccountId(9),
                  .body = "\xc3\xa4"},
      MarkRead{.request = key, .authority = who, .message_ids = {MessageId(3), MessageId(1)}},
      DeleteMessages{.request = key, .authority = who, .message_ids = {MessageId(3)}},
      Sweep{},
      Tick{},
      AnnounceNode{.node = base::NodeId(1),
                   .incarnation = base::Incarnation(~std::uint64_t{0}),
                   .peer_address = "a",
                   .client_address = "b",
                   .http_address = "c"},
  };
}

TEST(Codec, ThereAndBack) {
  for (const Command& command : one_of_each()) {
    const auto decoded = decode_command(encode(command));
    ASSERT_TRUE(decoded.has_value()) << decoded.error();
    EXPECT_EQ(*decoded, command) << command.index();
  }
}

TEST(Codec, WhatIsNotUnderstoodIsNotGuessed) {
  internal::v1::Command command;
  ASSERT_TRUE(command.ParseFromString(encode(one_of_each()[5])));
  auto* inner = command.mutable_send_message();
  inner->GetReflection()->MutableUnknownFields(inner)->AddVarint(99, 1);
  EXPECT_FALSE(decode_command(command.SerializeAsString()).has_value()) << "a field of a newer format";
  EXPECT_FALSE(decode_command("").has_value());
  EXPECT_FALSE(decode_command(std::string(2'000'000, '\0')).has_value());
}

TEST(Codec, FormIsChecked) {
  const auto wrong = [](const Command& command) { return !well_formed(command).has_value(); };
  auto send = std::get<SendMessage>(one_of_each()[5]);
  send.body = "\xff";
  EXPECT_TRUE(wrong(send));
  send.body = std::string(base::kMaxBodyBytes + 1, 'x');
  EXPECT_TRUE(wrong(send));
  auto mark = std::get<MarkRead>(one_of_each()[6]);
  mark.message_ids = {MessageId(1), MessageId(2), MessageId(1)};
  EXPECT_TRUE(wrong(mark));
  mark.message_ids.clear();
  EXPECT_TRUE(wrong(mark));
  auto create = std::get<CreateAccount>(one_of_each()[0]);
  create.name = "Ada";
  EXPECT_TRUE(wrong(create));
  auto log_out = std::get<LogOut>(one_of_each()[2]);
  log_out.request.id = {};
  EXPECT_TRUE(wrong(log_out));
  EXPECT_DEATH((void)encode(log_out), "request id");
}

// Bytes of a stranger: an error or a command that is well formed, and that comes back as it went.
TEST(Codec, MutatedBytes) {
  std::mt19937_64 random(11);
  std::size_t decoded = 0;
  for (const Command& command : one_of_each()) {
    const std::string good = encode(command);
    for (int round = 0; round < 2'000; ++round) {
      std::string bytes = good;
      for (std::uint64_t i = 0; i <= random() % 3 && !bytes.empty(); ++i) {
        const std::size_t at = random() % bytes.size();
        switch (random() % 3) {
          case 0:
            bytes[at] = static_cast<char>(random());
            break;
          case 1:
            bytes.erase(at, 1 + random() % 4);
            break;
          default:
            bytes.insert(at, 1, static_cast<char>(random()));
        }
      }
      if (const auto again = decode_command(bytes)) {
        ++decoded;
        EXPECT_EQ(*decode_command(encode(*again)), *again);
      }
    }
  }
  EXPECT_GT(decoded, 500U) << "some still mean something";
}

TEST(Digests, OfTheContentAlone) {
  auto commands = one_of_each();
  std::vector<std::uint64_t> digests;
  for (const Command& command : commands) {
    digests.push_back(content_digest(command));
    EXPECT_EQ(digests.back() == 0, request_key(command) == nullptr);
  }
  auto send = std::get<SendMessage>(commands[5]);
  send.request.id.bytes.fill(9);
  send.authority = {.account = AccountId(77), .session = {}};
  EXPECT_EQ(content_digest(send), digests[5]) << "neither id nor who asks";
  send.recipient_id = {};
  EXPECT_NE(content_digest(send), digests[5]);
  auto change = std::get<ChangePassword>(commands[3]);
  change.new_password_hash = "another";
  change.checked = {};
  EXPECT_EQ(content_digest(change), digests[3]) << "without passwords";
  auto create = std::get<CreateAccount>(commands[0]);
  create.password_hash = "another";
  create.session = {};
  EXPECT_EQ(content_digest(create), digests[0]);
  auto mark = std::get<MarkRead>(commands[6]);
  auto erase = std::get<DeleteMessages>(commands[7]);
  erase.message_ids = mark.message_ids;
  EXPECT_NE(content_digest(erase), digests[6]) << "another kind";
  // Lengths keep fields apart.
  SendMessage a{.recipient = "ab", .body = "c"};
  SendMessage b{.recipient = "a", .body = "bc"};
  EXPECT_NE(content_digest(a), content_digest(b));
  // The canonical form is part of the format: the digest of a retry must not change with a version.
  EXPECT_EQ(content_digest(SendMessage{.recipient = "bob", .body = "hello"}), 17804294475531145047U);
}

TEST(Errors, OneForEachVerdict) {
  for (const Verdict verdict :
       {Verdict::name_taken, Verdict::no_such_recipient, Verdict::no_such_messages, Verdict::session_ended,
        Verdict::password_changed, Verdict::request_id_reused, Verdict::request_id_forgotten,
        Verdict::request_id_ahead, Verdict::created_before}) {
    CommandResult result;
    result.verdict = verdict;
    result.position = base::Position(8);
    const auto error = to_error(result);
    EXPECT_FALSE(error.reason.empty());
    EXPECT_FALSE(error.message.empty());
    EXPECT_EQ(error.is_final(), is_final(verdict));
    EXPECT_EQ(error.outcome == base::Outcome::unknown, verdict == Verdict::request_id_forgotten);
  }
  EXPECT_DEATH((void)to_error(CommandResult()), "done");
}

}  // namespace
}  // namespace parley::chat
