// Answers on their way out, and the one budget of bytes that all of them share, unary ones and what waits in
// streams: a client that asks and does not read must not fill this node's memory. Nor must it keep others
// from writing: what writes have used is counted apart, and they are refused by that alone.
//
// In all there is never more than
// - the budget: beyond it nothing of a read is kept;
// - 40 KiB for each stream, which is 20 in its queue and 20 that are being written;
// - the budget once more for writes, and the answers of those that were under way when they had used it up.
// Owned by: a charge goes with its bytes, and is given back when they are written or thrown away; the budget
// by the service and its charges. Any thread.
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
      : budget_(std::move(other.budget_)),
        bytes_(std::exchange(other.bytes_, 0)),
        is_write_(other.is_write_) {}
  AnswerCharge& operator=(AnswerCharge&& other) noexcept {
    if (this != &other) {
      give_back();
      budget_ = std::move(other.budget_);
      bytes_ = std::exchange(other.bytes_, 0);
      is_write_ = other.is_write_;
    }
    return *this;
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Encoded anew, it has become larger. False: that is more than there is room for.
  [[nodiscard]] inline bool raise_to(std::size_t bytes);
  // The same of what a stream is about to write. False: there is no room, and it is charged as before.
  [[nodiscard]] inline bool raise_queued_to(std::size_t bytes);

 private:
  friend class AnswerBudget;
  AnswerCharge(std::shared_ptr<AnswerBudget> budget, std::size_t bytes, bool is_write)
      : budget_(std::move(budget)), bytes_(bytes), is_write_(is_write) {}
  inline void raise(std::size_t bytes);
  inline void give_back();

  std::shared_ptr<AnswerBudget> budget_;
  std::size_t bytes_ = 0;
  bool is_write_ = false;
};

class AnswerBudget : public std::enable_shared_from_this<AnswerBudget> {
 public:
  explicit AnswerBudget(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Of reads, streams and writes.
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  // No such call is begun.
  [[nodiscard]] bool is_used_up(bool for_write) const {
    return (for_write ? write_bytes_.load(std::memory_order_relaxed) : used_bytes()) >= max_bytes_;
  }

  // Whatever is left: of what must go out.
  [[nodiscard]] AnswerCharge charge(std::size_t size_bytes) { return charge(size_bytes, false); }
  [[nodiscard]] AnswerCharge charge_write(std::size_t size_bytes) { return charge(size_bytes, true); }

  // Of a read's answer. Nothing: there is no room. A quarter is kept for small ones.
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
    if (!may_be_held(held_bytes + size_bytes + kOverheadBytes)) {
      return std::nullopt;
    }
    return charge(size_bytes);
  }

 private:
  friend class AnswerCharge;
  static constexpr std::size_t kOverheadBytes = 128;  // what keeps the bytes of one
  static constexpr std::size_t kSmallAnswerBytes = 16UL * 1024;
  static constexpr std::size_t kAlwaysHeldBytes = 20UL * 1024;  // one message of the largest

  [[nodiscard]] AnswerCharge charge(std::size_t size_bytes, bool is_write) {
    const std::size_t bytes = size_bytes + kOverheadBytes;
    add(bytes, is_write);
    return {shared_from_this(), bytes, is_write};
  }
  [[nodiscard]] bool may_be_held(std::size_t bytes) const {
    const std::size_t free_bytes = max_bytes_ - std::min(max_bytes_, used_bytes());
    return bytes <= kAlwaysHeldBytes || bytes <= free_bytes / 16;
  }
  void add(std::size_t bytes, bool is_write) {
    used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (is_write) {
      write_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    }
  }
  void take_off(std::size_t bytes, bool is_write) {
    used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (is_write) {
      write_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    }
  }

  const std::size_t max_bytes_;
  std::atomic<std::size_t> used_bytes_{0};
  std::atomic<std::size_t> write_bytes_{0};  // of these
};

bool AnswerCharge::raise_to(std::size_t bytes) {
  if (!budget_ || bytes <= bytes_) {
    return true;
  }
  raise(bytes);
  return !budget_->is_used_up(false);
}

bool AnswerCharge::raise_queued_to(std::size_t bytes) {
  if (!budget_ || bytes <= bytes_) {
    return true;
  }
  if (!budget_->may_be_held(bytes)) {
    return false;
  }
  raise(bytes);
  return true;
}

void AnswerCharge::raise(std::size_t bytes) {
  budget_->add(bytes - bytes_, is_write_);
  bytes_ = bytes;
}

void AnswerCharge::give_back() {
  if (budget_) {
    budget_->take_off(bytes_, is_write_);
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
