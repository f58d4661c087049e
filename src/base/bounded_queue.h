// BoundedQueue: the one kind of queue between two threads. It has a name and a bound; a full queue refuses
// (P6) or waits, the caller chooses which. Owned by: whoever wires the two threads. Any thread pushes;
// pop_* is for the consuming threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

namespace parley::base {

template <class T>
class BoundedQueue {
 public:
  BoundedQueue(std::string name, std::size_t capacity_items)
      : name_(std::move(name)), capacity_items_(capacity_items) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  // False, and `item` untouched, if the queue is full or closed.
  [[nodiscard]] bool try_push(T&& item) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || items_.size() >= capacity_items_) {
        return false;
      }
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits for room. False if the queue is closed.
  [[nodiscard]] bool push_waiting(T&& item) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return closed_ || items_.size() < capacity_items_; });
      if (closed_) {
        return false;
      }
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Takes everything there is, waiting until `deadline` for the first item. Empty: the deadline came, or the
  // queue is closed and drained.
  [[nodiscard]] std::deque<T> pop_all_until(std::chrono::steady_clock::time_point deadline) {
    std::deque<T> taken;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait_until(lock, deadline, [this] { return closed_ || !items_.empty(); });
      taken.swap(items_);
    }
    not_full_.notify_all();
    return taken;
  }

  // As pop_all_until, without a deadline: empty means closed and drained.
  [[nodiscard]] std::deque<T> pop_all() {
    std::deque<T> taken;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
      taken.swap(items_);
    }
    not_full_.notify_all();
    return taken;
  }

  // Up to `max_items`, for several consumers: waits for the first; empty means closed and drained.
  [[nodiscard]] std::deque<T> pop_some(std::size_t max_items) {
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
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return items_.size();
  }

 private:
  const std::string name_;
  const std::size_t capacity_items_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace parley::base
