#include "parley/chat_log.h"

#include <fmt/format.h>

#include <utility>

#include "parley/output.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

constexpr std::string_view kIndent = "      ";

}  // namespace

bool ChatLog::is_of_this_conversation(const v1::Message& message) const {
  return (message.sender_id() == parties_.own_id && message.recipient_id() == parties_.peer_id) ||
         (message.sender_id() == parties_.peer_id && message.recipient_id() == parties_.own_id);
}

std::optional<std::string> ChatLog::message(const v1::Message& message) {
  if (!is_of_this_conversation(message)) {
    if (message.recipient_id() != parties_.own_id || !shown_.insert(message.id()).second) {
      return std::nullopt;
    }
    const std::string sender = terminal_line(message.sender());
    return fmt::format("-- {0} wrote to you; see: parley history {0}", sender);
  }
  if (!shown_.insert(message.id()).second) {
    return std::nullopt;
  }
  const bool is_own = message.sender_id() == parties_.own_id;
  if (message.recipient_id() == parties_.own_id && !message.read()) {
    unread_.push_back(message.id());
  }
  return fmt::format("{} {}: {}", local_clock(message.sent_at()),
                     is_own ? "you" : terminal_line(message.sender()),
                     terminal_block(message.body(), kIndent));
}

std::optional<std::string> ChatLog::event(const v1::WatchResponse& event) {
  if (event.has_message()) {
    return message(event.message());
  }
  if (event.has_account_gone() && event.account_gone().account_id() == parties_.peer_id) {
    return fmt::format("-- {} has deleted the account", terminal_line(parties_.peer));
  }
  return std::nullopt;
}

std::vector<std::uint64_t> ChatLog::take_unread() { return std::exchange(unread_, {}); }

}  // namespace parley::cli
