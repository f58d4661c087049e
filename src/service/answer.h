// Answers on their way out, and the one budget of bytes that all of them share, unary ones and what waits in
// streams: a client that asks and does not read must not fill this node's memory. Owned by: a charge goes
// with its bytes, and is given back when they are written or thrown away; the budget by the service and its
// charges. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace parley::service {

class AnswerBudget;

// Bytes that count until it goes.
class AnswerCharge {
 public:
  AnswerCharge() = default;
  ~AnswerCharge() { give_back(); }
  AnswerCharge(const AnswerCharge&) = delete;
  AnswerCharge& operator=(const AnswerCharge&) = delete;
  AnswerCharge(AnswerCharge&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  AnswerCharge& operator=(AnswerCharge&& other) noexcept {
    if (this != &other) {
      give_back();
      budget_ = std::move(other.budget_);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Encoded anew, it has become larger. False: that is more than there is room for.
  [[nodiscard]] inline bool raise_to(std::size_t bytes);

 private:
  friend class AnswerBudget;
  AnswerCharge(std::shared_ptr<AnswerBudget> budget, std::size_t bytes)
      : budget_(std::move(budget)), bytes_(bytes) {}
  inline void give_back();

  std::shared_ptr<AnswerBudget> budget_;
  std::size_t bytes_ = 0;
};

class AnswerBudget : public std::enable_shared_from_this<AnswerBudget> {
 public:
  explicit AnswerBudget(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  // No such call is begun. What reads and streams fill must not keep writes from being begun, whose answers
  // are small: they have as much again.
  [[nodiscard]] bool is_used_up(bool for_write) const {
    return used_bytes() >= (for_write ? 2 * max_bytes_ : max_bytes_);
  }

  // Whatever is left: of what must go out.
  [[nodiscard]] AnswerCharge charge(std::size_t size_bytes) {
    const std::size_t bytes = size_bytes + kOverheadBytes;
    used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return {shared_from_this(), bytes};
  }

  // Of a unary answer. Nothing: there is no room. A quarter is kept for small ones.
  [[nodiscard]] std::optional<AnswerCharge> charge_answer(std::size_t size_bytes) {
    auto charged = charge(size_bytes);
    const std::size_t limit = size_bytes <= kSmallAnswerBytes ? max_bytes_ : max_bytes_ - max_bytes_ / 4;
    if (used_bytes() > limit) {
      return std::nullopt;
    }
    return charged;
  }

  // Of what joins `held_bytes` that wait in one stream. Nothing: there is no room. Nobody may hold more than
  // a part of what is free: so the fuller it is, the sooner those are cut off who hold most, and something is
  // left for the others.
  [[nodiscard]] std::optional<AnswerCharge> charge_queued(std::size_t size_bytes, std::size_t held_bytes) {
    const std::size_t bytes = held_bytes + size_bytes + kOverheadBytes;
    const std::size_t free_bytes = max_bytes_ - std::min(max_bytes_, used_bytes());
    if (bytes > kAlwaysQueuedBytes && bytes > free_bytes / 16) {
      return std::nullopt;
    }
    return charge(size_bytes);
  }

 private:
  friend class AnswerCharge;
  static constexpr std::size_t kOverheadBytes = 128;  // what keeps the bytes of one
  static constexpr std::size_t kSmallAnswerBytes = 16UL * 1024;
  static constexpr std::size_t kAlwaysQueuedBytes = 20UL * 1024;  // one message of the largest

  const std::size_t max_bytes_;
  std::atomic<std::size_t> used_bytes_{0};
};

bool AnswerCharge::raise_to(std::size_t bytes) {
  if (!budget_ || bytes <= bytes_) {
    return true;
  }
  budget_->used_bytes_.fetch_add(bytes - bytes_, std::memory_order_relaxed);
  bytes_ = bytes;
  return !budget_->is_used_up(false);
}

void AnswerCharge::give_back() {
  if (budget_) {
    budget_->used_bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
  }
}

// As good as its bytes alone, which are then charged to nobody.
struct Answer {
  // NOLINTNEXTLINE(google-explicit-constructor)
  Answer(std::string the_bytes, AnswerCharge the_charge = {})
      : bytes(std::move(the_bytes)), charge(std::move(the_charge)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::string() && { return std::move(bytes); }

  std::string bytes;
  AnswerCharge charge;
};

}  // namespace parley::service
