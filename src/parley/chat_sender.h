// ChatSender: the thread that talks to the cluster while its user types: sends in the order they were
// entered, marks what was shown as read, fetches history. Answers go to the mailbox. Owned by: the chat
// command. Its methods: the main thread; callbacks run from the mailbox.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "parley/chat_log.h"
#include "parley/mailbox.h"

namespace parley::cli {

using SendOutcome = client::WriteOutcome<v1::SendMessageResponse>;

struct ChatCallbacks {
  std::function<void(const std::string& body, const SendOutcome&)> on_sent;
  // An attempt to send this failed: the first one, and the first after which the outcome is another.
  std::function<void(const std::string& body, const client::Retry&)> on_retry;
  std::function<void(const base::Result<std::vector<v1::Message>>&)> on_history;  // oldest first
};

class ChatSender {
 public:
  ChatSender(client::Client& client, ChatParties parties, Mailbox& mailbox, ChatCallbacks callbacks);
  ~ChatSender();
  ChatSender(const ChatSender&) = delete;
  ChatSender& operator=(const ChatSender&) = delete;

  // Gives up what is under way. What became of it, and of what had not begun, has been posted when this
  // returns; this object is still needed to run that. What is asked for afterwards is not done.
  void stop();

  void send(std::string body);
  void mark_read(std::vector<std::uint64_t> ids);
  void fetch_history(std::int32_t count);

 private:
  using Job = std::function<void(const std::stop_token&)>;
  void add(Job job);
  void run(const std::stop_token& stop);
  void send_now(const std::string& body, const std::stop_token& stop);

  client::Client& client_;
  const ChatParties parties_;
  Mailbox& mailbox_;
  const ChatCallbacks callbacks_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job> jobs_;  // guarded
  std::jthread thread_;
};

}  // namespace parley::cli
