#include "watch_load/talkers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <variant>

namespace parley::bench {
namespace {

constexpr std::size_t kSenders = 10;
constexpr std::chrono::seconds kTalkerPatience{60};

}  // namespace

std::optional<std::string> Talkers::register_accounts(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    client::ClientOptions options;
    options.servers = servers_;
    options.timeout = kTalkerPatience;
    options.attempt_timeout = std::chrono::milliseconds(1'000);
    auto client = std::make_unique<client::Client>(std::move(options));
    v1::CreateAccountRequest request;
    request.set_name(fmt::format("watch-{}-{}", ::getpid(), i));
    request.set_password("not a secret, a load test");
    const auto outcome = client->create_account(request);
    const auto* const done = std::get_if<client::Done<v1::CreateAccountResponse>>(&outcome);
    if (done == nullptr) {
      return fmt::format("account {} could not be made", i);
    }
    accounts_.push_back({.name = done->answer.account().name(), .token = done->answer.token()});
    if (i < kSenders) {
      client->set_token(done->answer.token());
      senders_.push_back(std::move(client));
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> Talkers::leader() {
  const auto status = senders_.front()->get_status({});
  if (!status) {
    return std::nullopt;
  }
  for (const v1::Node& node : status->nodes()) {
    const auto address = base::parse_address(node.client_addr());
    const auto found = address ? std::ranges::find(servers_, *address) : servers_.end();
    if (node.id() == status->leader_id() && found != servers_.end()) {
      return static_cast<std::size_t>(found - servers_.begin());
    }
  }
  return std::nullopt;
}

std::optional<std::string> Talkers::send_one() {
  Sent sent{.sender = sent_.size() % senders_.size(), .recipient = sent_.size() % accounts_.size()};
  sent.recipient = (sent.recipient + 1) % accounts_.size();
  v1::SendMessageRequest request;
  request.set_recipient(accounts_[sent.recipient].name);
  request.set_body(fmt::format("message {}", sent_.size()));
  sent.begun = std::chrono::steady_clock::now();
  bool unknown_before = false;
  for (int calls = 0; calls < 3; ++calls) {
    const auto outcome = senders_[sent.sender]->send_message(request, {.unknown_before = unknown_before});
    if (const auto* const done = std::get_if<client::Done<v1::SendMessageResponse>>(&outcome)) {
      sent.acknowledged = std::chrono::steady_clock::now();
      sent.position = done->answer.position();
      sent_.push_back(sent);
      return std::nullopt;
    }
    if (const auto* const refused = std::get_if<client::Refused>(&outcome)) {
      return "a send was refused: " + refused->error.message;
    }
    request.set_request_id(std::get<client::Unknown>(outcome).request_id);
    unknown_before = true;
  }
  return "a send stayed unknown";
}

std::vector<std::uint64_t> Talkers::expected(std::size_t account) const {
  std::vector<std::uint64_t> positions;
  for (const Sent& sent : sent_) {
    if (sent.sender == account || sent.recipient == account) {
      positions.push_back(sent.position);
    }
  }
  std::ranges::sort(positions);
  return positions;
}

}  // namespace parley::bench
