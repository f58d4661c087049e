#include "tests/node/load.h"

#include <gtest/gtest.h>

#include <cstring>
#include <future>

namespace parley::node::testing {
namespace {

constexpr std::chrono::seconds kDeadline{5};

}  // namespace

Load::Load(std::vector<Replica*> nodes, const TestUser& user, std::uint32_t clients)
    : user_(user), nodes_(std::move(nodes)), histories_(clients) {
  for (std::uint32_t client = 0; client < clients; ++client) {
    threads_.emplace_back([this, client] { run(client); });
  }
}

void Load::stop() {
  is_stopping_ = true;
  threads_.clear();
}

void Load::set_node(std::size_t at, Replica* node) {
  const std::scoped_lock lock(mutex_);
  nodes_[at] = node;
}

WriteResult Load::send_once(std::uint64_t attempt, const chat::Command& command) {
  auto promise = std::make_shared<std::promise<WriteResult>>();
  auto future = promise->get_future();
  {
    const std::scoped_lock lock(mutex_);
    Replica* node = nodes_[attempt % nodes_.size()];
    if (node == nullptr) {
      return std::unexpected(base::refused(base::Code::unavailable, "NODE_DOWN", "down"));
    }
    node->write(command, std::chrono::steady_clock::now() + kDeadline,
                [promise](WriteResult result) { promise->set_value(std::move(result)); });
  }
  return future.get();
}

void Load::run(std::uint32_t client) {
  for (std::uint64_t number = 0; !is_stopping_; ++number) {
    std::array<std::uint8_t, 10> random{};
    const std::uint64_t unique = (std::uint64_t{client} + 1) << 40 | next_number_++;
    std::memcpy(random.data() + 2, &unique, sizeof unique);
    const std::string body = std::to_string(client) + ":" + std::to_string(number);
    const chat::Command command = chat::SendMessage{
        .request = {.id = base::make_request_id(unix_ms(), random), .content_digest = unique},
        .authority = {user_.account, user_.session},
        .recipient = user_.name,
        .recipient_id = user_.account,
        .body = body};
    for (std::uint64_t attempt = client;; ++attempt) {
      const WriteResult result = send_once(attempt, command);
      if (result) {
        EXPECT_EQ(result->verdict, chat::Verdict::done);
        histories_[client].acknowledged.push_back(body);
        ++acknowledged_;
        break;
      }
      // Whatever became of it is seen at the end: this one may be there or not.
      if (is_stopping_) {
        return;
      }
    }
  }
}

}  // namespace parley::node::testing
