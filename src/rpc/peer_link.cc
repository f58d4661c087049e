#include "rpc/peer_link.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "node/peer_codec.h"
#include "rpc/dial.h"

namespace parley::rpc {

namespace {

// Calls that are taken to the leader, and above all its answers: of these so much may wait, or a single one,
// so that the log's own messages never wait behind many.
constexpr std::size_t kMaxBulk_bytes = 2UL * 1024 * 1024;

std::size_t bulk_bytes(const node::PeerMessage& message, std::size_t size_bytes) {
  const bool is_call =
      std::holds_alternative<node::ForwardCall>(message) || std::holds_alternative<node::CallReply>(message);
  return is_call && size_bytes > node::kBulkAnswerBytes ? size_bytes : 0;
}

}  // namespace

bool PeerQueue::push(node::PeerMessage message) {
  const std::size_t size_bytes = node::estimated_size_bytes(message);
  const std::size_t bulk = bulk_bytes(message, size_bytes);
  const std::scoped_lock lock(mutex_);
  if (!is_up_ || messages_.size() >= max_messages_ || size_bytes_ + size_bytes > max_size_bytes_ ||
      (bulk > 0 && bulk_bytes_ > 0 && bulk_bytes_ + bulk > kMaxBulk_bytes)) {
    return false;
  }
  size_bytes_ += size_bytes;
  bulk_bytes_ += bulk;
  messages_.emplace_back(std::move(message), size_bytes);
  return true;
}

bool PeerQueue::wants_wake() {
  const std::scoped_lock lock(mutex_);
  return !messages_.empty() && !std::exchange(is_awake_, true);
}

std::vector<node::PeerMessage> PeerQueue::take_frame() {
  std::vector<node::PeerMessage> taken;
  std::size_t frame_size_bytes = 0;
  const std::scoped_lock lock(mutex_);
  while (!messages_.empty()) {
    const std::size_t size_bytes = messages_.front().second;
    if (!taken.empty() && frame_size_bytes + size_bytes > node::kFrameTarget_bytes) {
      break;
    }
    frame_size_bytes += size_bytes;
    size_bytes_ -= size_bytes;
    bulk_bytes_ -= bulk_bytes(messages_.front().first, size_bytes);
    taken.push_back(std::move(messages_.front().first));
    messages_.pop_front();
  }
  is_awake_ = !taken.empty();
  return taken;
}

void PeerQueue::set_up(bool is_up) {
  const std::scoped_lock lock(mutex_);
  is_up_ = is_up;
  if (!is_up) {
    messages_.clear();
    size_bytes_ = 0;
    bulk_bytes_ = 0;
    is_awake_ = false;
  }
}

PeerLink::PeerLink(PeerContext& context, node::PeerAddresses peer)
    : context_(context),
      id_(peer.id),
      addresses_(std::move(peer.addresses)),
      queue_(std::make_shared<PeerQueue>(context.options)),
      backoff_(context.options.min_backoff) {}

PeerLink::~PeerLink() = default;

void PeerLink::begin() { dial(); }

void PeerLink::set_addresses(std::vector<std::string> addresses) {
  if (addresses == addresses_) {
    return;
  }
  const std::string last = addresses_.empty() ? std::string() : addresses_[address_ % addresses_.size()];
  addresses_ = std::move(addresses);
  const auto found = std::ranges::find(addresses_, last);
  address_ = found == addresses_.end() ? 0 : static_cast<std::size_t>(found - addresses_.begin());
  if (!dial_ && !waits_for_backoff_) {
    dial();
  }
}

void PeerLink::send_hello() {
  if (dial_) {
    dial_->send_hello();
  }
}

void PeerLink::pump() {
  if (dial_) {
    dial_->pump();
  }
}

void PeerLink::close() {
  is_closed_ = true;
  if (dial_) {
    dial_->cancel();
  }
  go_down(node::LinkLoss::replaced);
}

void PeerLink::dial() {
  if (is_closed_ || context_.stopping || addresses_.empty()) {
    return;
  }
  dial_ = std::make_shared<Dial>(context_, shared_from_this(), addresses_[address_ % addresses_.size()]);
  dial_->begin();
}

bool PeerLink::on_answer(const node::Hello& hello) {
  if (is_closed_) {
    return false;
  }
  if (hello.self.id != id_) {
    context_.tell_once(fmt::format("at {} answers node {}, not node {}", dial_->address(),
                                   hello.self.id.value(), id_.value()));
    return false;
  }
  if (const auto taken = context_.handler->on_hello(hello); !taken) {
    context_.tell_once(
        fmt::format("node {} at {} is refused: {}", id_.value(), dial_->address(), taken.error()));
    return false;
  }
  if (!answered_at_) {
    answered_at_ = std::chrono::steady_clock::now();
  }
  const Up answered{.peer = hello.self, .process = hello.process};
  if (up_ == answered) {
    return true;  // the same process of the same node, found again at once
  }
  // Rule 10: another process is met. What the one before it was sent, this one has not heard; if it led, it
  // leads no more. (A node that names no process is told from itself by its incarnation alone.)
  go_down(node::LinkLoss::closed);
  up_ = answered;
  queue_->set_up(true);
  spdlog::info("connected to node {} at {}", id_.value(), dial_->address());
  context_.handler->on_link_up(hello.self);
  return true;
}

void PeerLink::on_dial_ended(bool was_answered, bool was_silent, const std::string& refusal) {
  dial_.reset();
  if (context_.stopping || is_closed_) {
    return;
  }
  const auto answered_at = std::exchange(answered_at_, std::nullopt);
  if (answered_at && std::chrono::steady_clock::now() - *answered_at >= context_.options.settled_after) {
    backoff_ = context_.options.min_backoff;
    is_reconnect_at_once_ = false;
  }
  if (!refusal.empty()) {
    context_.handler->on_refused(id_, refusal);
  }
  // Rule 10: only a peer that does not answer one reconnect is taken for gone.
  if (was_answered && !was_silent && !std::exchange(is_reconnect_at_once_, true)) {
    dial();
    return;
  }
  is_reconnect_at_once_ = false;
  go_down(was_silent ? node::LinkLoss::silent : node::LinkLoss::closed);
  if (!was_answered) {
    ++address_;
  }
  back_off();
}

void PeerLink::go_down(node::LinkLoss why) {
  if (const auto lost = std::exchange(up_, std::nullopt)) {
    queue_->set_up(false);
    spdlog::info("connection to node {} lost", id_.value());
    context_.handler->on_link_down(lost->peer, why);
  }
}

void PeerLink::back_off() {
  waits_for_backoff_ = true;
  context_.loop->post_after(backoff_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->on_backoff_over();
    }
  });
  backoff_ = std::min(2 * backoff_, context_.options.max_backoff);
}

void PeerLink::on_backoff_over() {
  waits_for_backoff_ = false;
  if (!dial_) {
    dial();
  }
}

}  // namespace parley::rpc
