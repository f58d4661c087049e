#include "parley/chat_sender.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace parley::cli {
namespace {

// A conversation waits for its cluster longer than a command does: a message that was typed is worth a
// minute.
constexpr std::chrono::seconds kSendTimeout{60};

}  // namespace

ChatSender::ChatSender(client::Client& client, ChatParties parties, Mailbox& mailbox, ChatCallbacks callbacks)
    : client_(client),
      parties_(std::move(parties)),
      mailbox_(mailbox),
      callbacks_(std::move(callbacks)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ChatSender::~ChatSender() { stop(); }

void ChatSender::stop() {
  thread_.request_stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ChatSender::add(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void ChatSender::run(const std::stop_token& stop) {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
      // After a stop the jobs that are left run too: each sees the stop, and says that it was not done.
      if (jobs_.empty()) {
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(stop);
  }
}

void ChatSender::send(std::string body) {
  add([this, body = std::move(body)](const std::stop_token& stop) { send_now(body, stop); });
}

void ChatSender::send_now(const std::string& body, const std::stop_token& stop) {
  if (stop.stop_requested()) {
    const client::Refused refused{base::refused(base::Code::cancelled, "LEFT", "the chat was left first")};
    mailbox_.post([this, body, refused] { callbacks_.on_sent(body, refused); });
    return;
  }
  v1::SendMessageRequest request;
  request.set_recipient(parties_.peer);
  request.set_recipient_id(parties_.peer_id);  // never to another account that took the name (rule 17)
  request.set_body(body);
  client::CallOptions call{.timeout = kSendTimeout, .stop = stop};
  call.on_retry = [this, body, told = std::optional<base::Outcome>()](const client::Retry& retry) mutable {
    if (std::exchange(told, retry.error.outcome) != retry.error.outcome) {
      mailbox_.post([this, body, retry] { callbacks_.on_retry(body, retry); });
    }
  };
  auto outcome = std::make_shared<SendOutcome>(client_.send_message(request, call));
  mailbox_.post([this, body, outcome] { callbacks_.on_sent(body, *outcome); });
}

void ChatSender::mark_read(std::vector<std::uint64_t> ids) {
  add([this, ids = std::move(ids)](const std::stop_token& stop) {
    v1::MarkReadRequest request;
    request.mutable_message_ids()->Add(ids.begin(), ids.end());
    // What is not marked now stays unread, and is shown as such the next time: no need to tell.
    [[maybe_unused]] const auto outcome = client_.mark_read(request, {.stop = stop});
  });
}

void ChatSender::fetch_history(std::int32_t count) {
  add([this, count](const std::stop_token& stop) {
    v1::ListMessagesRequest request;
    request.set_peer(parties_.peer);
    request.set_newest_first(true);
    request.set_page_size(count);
    const auto answer = client_.list_messages(request, {.timeout = kSendTimeout, .stop = stop});
    base::Result<std::vector<v1::Message>> history;
    if (answer) {
      history->assign(answer->messages().rbegin(), answer->messages().rend());
    } else {
      history = std::unexpected(answer.error());
    }
    mailbox_.post([this, history] { callbacks_.on_history(history); });
  });
}

}  // namespace parley::cli
