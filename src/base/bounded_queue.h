// BoundedQueue: the one kind of queue between two threads. It has a name and a bound; a full queue refuses
// (P6) or waits, the caller chooses which. Owned by: whoever wires the two threads. Any thread pushes;
// pop_all* is for the one consuming thread, pop_some for several.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "base/parker.h"

namespace parley::base {

enum class Consumers : std::uint8_t { one, several };

template <class T, Consumers WhoPops = Consumers::one>
class BoundedQueue {
 public:
  BoundedQueue(std::string name, std::size_t capacity_items)
      : name_(std::move(name)), capacity_items_(capacity_items) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  // False, and `item` untouched, if the queue is full or closed.
  [[nodiscard]] bool try_push(T&& item) {
    bool was_empty = false;
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || items_.size() >= capacity_items_) {
        return false;
      }
      was_empty = items_.empty();
      items_.push_back(std::move(item));
    }
    wake_consumer(was_empty);
    return true;
  }

  // Waits for room. False if the queue is closed.
  [[nodiscard]] bool push_waiting(T&& item) {
    bool was_empty = false;
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return closed_ || items_.size() < capacity_items_; });
      if (closed_) {
        return false;
      }
      was_empty = items_.empty();
      items_.push_back(std::move(item));
    }
    wake_consumer(was_empty);
    return true;
  }

  // Takes everything there is, waiting until `deadline` for the first item. Empty: the deadline came, or the
  // queue is closed and drained.
  [[nodiscard]] std::deque<T> pop_all_until(std::chrono::steady_clock::time_point deadline)
    requires(WhoPops == Consumers::one)
  {
    while (true) {
      {
        std::deque<T> taken;
        const std::scoped_lock lock(mutex_);
        const bool is_over = closed_ || std::chrono::steady_clock::now() >= deadline;
        if (!items_.empty() || is_over) {
          taken.swap(items_);
          if (taken.size() >= capacity_items_) {
            not_full_.notify_all();
          }
          return taken;
        }
      }
      one_consumer_.wait_until(deadline);
    }
  }

  // As pop_all_until, without a deadline: empty means closed and drained.
  [[nodiscard]] std::deque<T> pop_all()
    requires(WhoPops == Consumers::one)
  {
    return pop_all_until(std::chrono::steady_clock::time_point::max());
  }

  // Up to `max_items`: waits for the first; empty means closed and drained.
  [[nodiscard]] std::deque<T> pop_some(std::size_t max_items)
    requires(WhoPops == Consumers::several)
  {
    std::deque<T> taken;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
      while (taken.size() < max_items && !items_.empty()) {
        taken.push_back(std::move(items_.front()));
        items_.pop_front();
      }
    }
    not_full_.notify_all();
    return taken;
  }

  // Refuses what comes from now on; what is inside can still be taken.
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    one_consumer_.wake();
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return items_.size();
  }

 private:
  // The one consumer takes everything: who pushed first has woken it for those who follow.
  void wake_consumer(bool was_empty) {
    if constexpr (WhoPops == Consumers::several) {
      not_empty_.notify_one();
    } else if (was_empty) {
      one_consumer_.wake();
    }
  }

  const std::string name_;
  const std::size_t capacity_items_;
  mutable std::mutex mutex_;
  Parker one_consumer_;
  std::condition_variable not_empty_;  // for several consumers
  std::condition_variable not_full_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace parley::base
