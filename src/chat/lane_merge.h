// Private to chat: whole lanes, merged by id: one seek for each lane, and one for each message taken.
#pragma once

#include <optional>
#include <queue>
#include <vector>

#include "chat/lanes.h"
#include "chat/message_table.h"

namespace parley::chat {

class LaneMerge {
 public:
  // Ids beyond `from`, which is not among them.
  LaneMerge(MessageTable& messages, bool newest_first, MessageId from)
      : messages_(messages), newest_first_(newest_first), from_(from) {}

  void add(ConversationId conversation, const std::vector<Lane>& lanes) {
    for (const Lane lane : lanes) {
      push(conversation, lane, from_);
    }
  }
  [[nodiscard]] bool empty() const { return heads_.empty(); }
  [[nodiscard]] MessageId next() const { return heads_.top().id; }
  MessageId take() {
    const Head head = heads_.top();
    heads_.pop();
    push(head.conversation, head.lane, head.id);
    return head.id;
  }

 private:
  struct Head {
    MessageId id;
    ConversationId conversation;
    Lane lane = 0;
  };
  struct Later {
    bool newest_first;
    bool operator()(const Head& a, const Head& b) const { return newest_first ? a.id < b.id : a.id > b.id; }
  };

  void push(ConversationId conversation, Lane lane, MessageId beyond) {
    const auto id = newest_first_ ? messages_.last_below(conversation, lane, beyond)
                                  : messages_.first_above(conversation, lane, beyond);
    if (id) {
      heads_.push({.id = *id, .conversation = conversation, .lane = lane});
    }
  }

  MessageTable& messages_;
  bool newest_first_;
  MessageId from_;
  std::priority_queue<Head, std::vector<Head>, Later> heads_{Later{newest_first_}};
};

}  // namespace parley::chat
