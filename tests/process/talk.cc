#include "tests/process/talk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::testing {

using std::chrono::steady_clock;

void PrintTo(const Acknowledged& message, std::ostream* out) {
  *out << message.id << " \"" << message.body << '"';
}

std::string sign_up(client::Client& client, const std::string& name) {
  v1::CreateAccountRequest request;
  request.set_name(name);
  request.set_password("correct horse");
  const auto outcome = client.create_account(request);
  const auto* const done = std::get_if<client::Done<v1::CreateAccountResponse>>(&outcome);
  base::ensure(done != nullptr, "an account can be made");
  return done->answer.token();
}

Talk::Talk(const Cluster& cluster, const std::string& sender, const std::string& recipient)
    : Talk(cluster.client(), cluster.client(), sender, recipient) {}

Talk::Talk(std::unique_ptr<client::Client> sending, std::unique_ptr<client::Client> reading,
           const std::string& sender, const std::string& recipient)
    : recipient_(recipient), client_(std::move(sending)), reader_(std::move(reading)) {
  recipient_token_ = sign_up(*reader_, recipient);
  sender_token_ = sign_up(*client_, sender);
  client_->set_token(sender_token_);
  reader_->set_token(recipient_token_);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Talk::~Talk() { finish(); }

void Talk::finish() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
}

void Talk::wait_for_more(std::uint64_t more) const {
  const std::uint64_t wanted = count() + more;
  EXPECT_TRUE(wait_until([&] { return count() >= wanted; }, std::chrono::minutes(2)))
      << "nothing more was acknowledged";
}

void Talk::run(const std::stop_token& stop) {
  auto last = steady_clock::now();
  for (std::uint64_t number = 1; !stop.stop_requested(); ++number) {
    send_one(number);
    const auto now = steady_clock::now();
    longest_gap_ = std::max(longest_gap_, std::chrono::duration_cast<std::chrono::milliseconds>(now - last));
    last = now;
  }
}

void Talk::send_one(std::uint64_t number) {
  v1::SendMessageRequest request;
  request.set_recipient(recipient_);
  request.set_body(fmt::format("message {}", number));
  const auto outcome = client_->send_message(request);
  const auto* const done = std::get_if<client::Done<v1::SendMessageResponse>>(&outcome);
  if (done == nullptr) {
    const auto* const refused = std::get_if<client::Refused>(&outcome);
    const base::Error& error = refused != nullptr ? refused->error : std::get<client::Unknown>(outcome).error;
    complaints_.push_back(
        fmt::format("{}: {}: {}", request.body(), base::to_string(error.code), error.message));
    return;
  }
  acknowledged_.push_back({.id = done->answer.message().id(), .body = request.body()});
  ++count_;
  // Linearizable: whoever asks after the answer, wherever, sees it.
  v1::ListMessagesRequest newest;
  newest.set_newest_first(true);
  newest.set_page_size(1);
  const auto page = reader_->list_messages(newest);
  if (!page) {
    complaints_.push_back(fmt::format("read after {}: {}", request.body(), page.error().message));
  } else if (page->messages_size() != 1 || page->messages(0).body() != request.body()) {
    complaints_.push_back(fmt::format("read after {} shows {}", request.body(),
                                      page->messages_size() == 1 ? page->messages(0).body() : "nothing"));
  }
}

std::vector<Acknowledged> inbox_of(const Cluster& cluster, const std::vector<int>& nodes,
                                   const std::string& token) {
  const auto client = cluster.client(nodes);
  client->set_token(token);
  return inbox_of(*client);
}

std::uint64_t send_note(client::Client& client, const std::string& to, const std::string& body) {
  v1::SendMessageRequest note;
  note.set_recipient(to);
  note.set_body(body);
  const auto outcome = client.send_message(note);
  const auto* const sent = std::get_if<client::Done<v1::SendMessageResponse>>(&outcome);
  return sent == nullptr ? 0 : sent->answer.position();
}

std::vector<Acknowledged> inbox_of(client::Client& client) {
  std::vector<Acknowledged> messages;
  v1::ListMessagesRequest request;
  request.set_page_size(500);
  do {
    const auto page = client.list_messages(request);
    EXPECT_TRUE(page.has_value()) << (page ? "" : page.error().message);
    if (!page) {
      break;
    }
    for (const v1::Message& message : page->messages()) {
      messages.push_back({.id = message.id(), .body = message.body()});
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return messages;
}

}  // namespace parley::testing
