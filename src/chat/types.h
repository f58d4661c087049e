// The words of chat as types.
// Owned by: nobody, values. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/strong_id.h"

namespace parley::chat {

using base::Position;

// An account's id is the position of the entry that created it: never used again.
using AccountId = base::StrongId<struct AccountIdTag>;
// The position of the conversation's first message.
using ConversationId = base::StrongId<struct ConversationIdTag>;
// The position of the entry that sent it.
using MessageId = base::StrongId<struct MessageIdTag>;
// Counts the passwords an account has had: 1 at creation.
using PasswordVersion = base::StrongId<struct PasswordVersionTag>;

// What is kept of a token (SHA-256 or BLAKE2b-256 of its 32 random bytes). The token itself is never stored.
struct SessionHash {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const SessionHash&) const = default;
  [[nodiscard]] bool is_none() const { return *this == SessionHash{}; }
};

// Put on each command by the leader that appends it (design.md, Time). The state machine has no other clock.
struct Stamp {
  std::int64_t cluster_time_ms = 0;  // decides expiry; never goes back; starts at 0 with the cluster
  std::int64_t wall_unix_ms = 0;     // sent_at, and the bound of new request ids; nothing else
  auto operator<=>(const Stamp&) const = default;
};

struct Account {
  AccountId id;
  std::string name;
  std::int64_t created_at_unix_ms = 0;
  bool operator==(const Account&) const = default;
};

struct Message {
  MessageId id;
  ConversationId conversation;
  AccountId sender;
  AccountId recipient;
  std::string sender_name;
  std::string recipient_name;
  std::string body;
  std::int64_t sent_at_unix_ms = 0;
  bool read = false;
  std::string request_id;  // text form; only in its author's views
  bool operator==(const Message&) const = default;
};

}  // namespace parley::chat
