// Seeded histories against a model that is nothing but lists: every view of every account must agree.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/chat/chat_world.h"
#include "tests/chat/script.h"

namespace parley::chat {
namespace {

using testing::Script;
using testing::User;
using testing::World;

struct ModelMessage {
  MessageId id;
  AccountId sender;
  AccountId recipient;
  std::string body;
  bool read = false;
  bool hidden_from_sender = false;
  bool hidden_from_recipient = false;
};

// What design.md says about messages, said once more as simply as can be.
class Model {
 public:
  // Follows one entry, given what the state machine answered.
  void follow(const Command& command, const CommandResult& result) {
    if (result.verdict != Verdict::done || result.is_retry) {
      return;
    }
    if (const auto* create = std::get_if<CreateAccount>(&command)) {
      names_[result.account] = create->name;
      alive_[result.account] = true;
    } else if (const auto* gone = std::get_if<DeleteAccount>(&command)) {
      alive_[gone->authority.account] = false;
    } else if (const auto* send = std::get_if<SendMessage>(&command)) {
      const AccountId sender = send->authority.account;
      const AccountId recipient = alive_named(send->recipient);
      messages_.push_back({.id = MessageId(result.position.value()),
                           .sender = sender,
                           .recipient = recipient,
                           .body = send->body,
                           .read = sender == recipient});
    }
  }
  std::vector<MessageId> mark(AccountId reader, const std::vector<MessageId>& ids) {
    std::vector<MessageId> applied;
    for (const MessageId id : ids) {
      ModelMessage* message = find(id);
      if (message != nullptr && message->recipient == reader && !message->hidden_from_recipient) {
        message->read = true;
        applied.push_back(id);
      }
    }
    return applied;
  }
  std::vector<MessageId> erase(AccountId account, const std::vector<MessageId>& ids) {
    std::vector<MessageId> applied;
    for (const MessageId id : ids) {
      ModelMessage* message = find(id);
      if (message == nullptr || !sees(account, *message)) {
        continue;
      }
      message->hidden_from_sender = message->hidden_from_sender || message->sender == account;
      message->hidden_from_recipient = message->hidden_from_recipient || message->recipient == account;
      applied.push_back(id);
    }
    return applied;
  }

  [[nodiscard]] std::vector<Message> view(AccountId account, AccountId peer, bool unread_only,
                                          bool newest_first) const {
    std::vector<Message> out;
    for (const ModelMessage& m : messages_) {
      const bool received = m.recipient == account;
      const bool wanted = peer.is_none() ? received : (received ? m.sender == peer : m.recipient == peer);
      if (wanted && sees(account, m) && (!unread_only || (received && !m.read))) {
        Message message;
        message.id = m.id;
        message.sender = m.sender;
        message.recipient = m.recipient;
        message.sender_name = names_.at(m.sender);
        message.recipient_name = names_.at(m.recipient);
        message.body = m.body;
        message.read = m.read;
        out.push_back(std::move(message));
      }
    }
    if (newest_first) {
      std::ranges::reverse(out);
    }
    return out;
  }
  [[nodiscard]] std::vector<AccountId> everybody() const {
    std::vector<AccountId> all;
    for (const auto& [account, alive] : alive_) {
      all.push_back(account);
    }
    return all;
  }
  [[nodiscard]] bool alive(AccountId account) const { return alive_.at(account); }
  [[nodiscard]] const std::string& name(AccountId account) const { return names_.at(account); }

 private:
  [[nodiscard]] bool sees(AccountId account, const ModelMessage& m) const {
    if (!alive_.at(m.recipient)) {
      return false;
    }
    return (m.sender == account && !m.hidden_from_sender) ||
           (m.recipient == account && !m.hidden_from_recipient);
  }
  ModelMessage* find(MessageId id) {
    const auto at = std::ranges::find(messages_, id, &ModelMessage::id);
    return at == messages_.end() ? nullptr : &*at;
  }
  [[nodiscard]] AccountId alive_named(const std::string& name) const {
    for (const auto& [account, its_name] : names_) {
      if (its_name == name && alive_.at(account)) {
        return account;
      }
    }
    return {};
  }

  std::map<AccountId, std::string> names_;
  std::map<AccountId, bool> alive_;
  std::vector<ModelMessage> messages_;
};

// What the model does not know.
std::vector<Message> comparable(std::vector<Message> messages) {
  for (Message& message : messages) {
    message.conversation = {};
    message.sent_at_unix_ms = 0;
    message.request_id.clear();
  }
  return messages;
}

std::vector<Message> all_pages(Reader& reader, AccountId account, MessageQuery query,
                               std::int32_t page_size) {
  std::vector<Message> all;
  query.page.page_size = page_size;
  while (true) {
    const auto page = reader.messages(account, query);
    EXPECT_TRUE(page.has_value());
    EXPECT_LE(page->items.size(), static_cast<std::size_t>(page_size));
    all.insert(all.end(), page->items.begin(), page->items.end());
    if (page->next_page_token.empty()) {
      return all;
    }
    query.page.page_token = page->next_page_token;
  }
}

void compare_lists(Reader& reader, const Model& model, AccountId account, std::int32_t page_size) {
  for (const bool unread_only : {false, true}) {
    for (const bool newest_first : {false, true}) {
      MessageQuery query{.unread_only = unread_only, .newest_first = newest_first};
      EXPECT_EQ(comparable(all_pages(reader, account, query, page_size)),
                model.view(account, {}, unread_only, newest_first));
      for (const AccountId peer : model.everybody()) {
        if (model.alive(peer)) {
          query.peer = model.name(peer);
          EXPECT_EQ(comparable(all_pages(reader, account, query, page_size)),
                    model.view(account, peer, unread_only, newest_first));
        }
      }
    }
  }
}

void compare_conversations(Reader& reader, const Model& model, AccountId account) {
  std::vector<std::pair<Message, std::size_t>> expected;
  std::map<std::pair<std::string, AccountId>, std::size_t> unread;
  for (const AccountId peer : model.everybody()) {
    const auto messages = model.view(account, peer, false, true);
    if (!messages.empty()) {
      expected.emplace_back(messages.front(), model.view(account, peer, true, false).size());
    }
  }
  std::ranges::sort(expected, std::greater{}, [](const auto& row) { return row.first.id; });
  const auto rows = reader.conversations(account, {.page_size = 500});
  ASSERT_EQ(rows->items.size(), expected.size());
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const ConversationRow& row = rows->items[i];
    EXPECT_EQ(comparable({row.last_message})[0], expected[i].first);
    EXPECT_EQ(row.unread_count, expected[i].second);
    const auto& last = expected[i].first;
    const AccountId peer = last.sender == account ? last.recipient : last.sender;
    EXPECT_EQ(row.peer_gone, !model.alive(peer));
    EXPECT_EQ(row.peer_name, model.name(peer));
    total += row.unread_count;
  }
  EXPECT_EQ(reader.unread_counts(account, {})->total, total);
}

void run(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world;
  Model model;
  Script script(world, seed);
  std::size_t followed = world.position().value();
  for (int step = 0; step < 400 && !::testing::Test::HasFailure(); ++step) {
    script.step();
    for (; followed < world.position().value(); ++followed) {
      const Command command = *decode_command(world.log()[followed].command);
      const CommandResult& result = world.results()[followed];
      model.follow(command, result);
      if (const auto* mark = std::get_if<MarkRead>(&command); mark != nullptr && !result.is_retry) {
        EXPECT_EQ(result.message_ids, model.mark(mark->authority.account, mark->message_ids));
      }
      if (const auto* erase = std::get_if<DeleteMessages>(&command); erase != nullptr && !result.is_retry) {
        EXPECT_EQ(result.message_ids, model.erase(erase->authority.account, erase->message_ids));
      }
    }
    if (step % 40 == 39) {
      const auto page_size = static_cast<std::int32_t>(1 + script.pick(20));
      for (const User& user : script.users()) {
        compare_lists(world.read(), model, user.id, page_size);
        compare_conversations(world.read(), model, user.id);
      }
    }
    if (script.pick(60) == 0) {
      world.crash_and_open();
      world.replay();
    }
  }
}

TEST(ModelCheck, SeededHistories) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    run(seed);
  }
}

}  // namespace
}  // namespace parley::chat
