// ChatLog: which lines an open conversation shows, and when: every message once, however it came to be known
// (the history, the watch, the answer to a send). Owned by: the chat command. Knows no network; the main
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "parley/v1/api.pb.h"

namespace parley::cli {

struct ChatParties {
  std::uint64_t own_id = 0;
  std::uint64_t peer_id = 0;
  std::string peer;  // its name
};

class ChatLog {
 public:
  explicit ChatLog(ChatParties parties) : parties_(std::move(parties)) {}

  // The line to show; nothing if it was shown already or belongs to another conversation of this account's
  // own.
  [[nodiscard]] std::optional<std::string> message(const v1::Message& message);
  [[nodiscard]] std::optional<std::string> event(const v1::WatchResponse& event);

  // Messages that were shown, are for us and not yet read; each is returned once.
  [[nodiscard]] std::vector<std::uint64_t> take_unread();

  [[nodiscard]] const ChatParties& parties() const { return parties_; }

 private:
  [[nodiscard]] bool is_of_this_conversation(const v1::Message& message) const;

  ChatParties parties_;
  std::set<std::uint64_t> shown_;
  std::vector<std::uint64_t> unread_;
};

}  // namespace parley::cli
