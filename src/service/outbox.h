// Outbox: between the threads that feed a stream and the one thread that writes it to its client: a bounded
// queue that asks to be looked at once, however much was put in since. For whatever carries streams (rpc,
// gateway). Owned by: the carrier's stream, shared with the service. send, finish: any thread; the rest: the
// thread that writes.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "service/service.h"

namespace parley::service {

class Outbox : public ReplyStream {
 public:
  // `wake` is called without a lock, and not again before awake().
  Outbox(std::size_t max_messages, std::size_t max_size_bytes, std::function<void()> wake)
      : max_messages_(max_messages), max_size_bytes_(max_size_bytes), wake_(std::move(wake)) {}

  void use_budget(std::shared_ptr<AnswerBudget> budget) override {
    const std::scoped_lock lock(mutex_);
    budget_ = std::move(budget);
  }

  [[nodiscard]] bool send(std::string message) override {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_ || end_ || messages_.size() >= max_messages_ ||
          size_bytes_ + message.size() > max_size_bytes_) {
        return false;
      }
      auto charge = budget_ ? budget_->charge_queued(message.size(), charged_bytes_) : AnswerCharge();
      if (!charge) {
        return false;
      }
      size_bytes_ += message.size();
      charged_bytes_ += charge->bytes();
      messages_.emplace_back(std::move(message), *std::move(charge));
    }
    wake_once();
    return true;
  }

  // The first reason counts: a stream that its carrier has ended takes no more, and looks slow to the
  // service.
  void finish(const base::Error& why) override {
    {
      const std::scoped_lock lock(mutex_);
      if (end_) {
        return;
      }
      end_ = why;
      if (why.code == base::Code::resource_exhausted) {
        clear();  // nobody reads them
      }
    }
    wake_once();
  }

  // What next() gave last is not written after all: so nothing that came after it may be.
  void cut_off(const base::Error& why) {
    {
      const std::scoped_lock lock(mutex_);
      end_ = why;
      clear();
    }
    wake_once();
  }

  // What to do next. Nothing of both: wait for the next wake-up.
  struct Next {
    std::optional<Answer> message;  // its charge is kept until it is written
    bool more = false;
    bool is_ending = false;  // nothing more is put in
    std::optional<base::Error> end;
  };
  [[nodiscard]] Next next() {
    const std::scoped_lock lock(mutex_);
    Next next;
    next.is_ending = end_.has_value();
    if (!messages_.empty()) {
      next.message = std::move(messages_.front());
      messages_.pop_front();
      size_bytes_ -= next.message->bytes.size();
      charged_bytes_ -= next.message->charge.bytes();
      next.more = !messages_.empty();
    } else {
      next.end = end_;
    }
    return next;
  }

  // Nothing more is put in, though something may be left to be read.
  [[nodiscard]] bool has_ended() {
    const std::scoped_lock lock(mutex_);
    return end_.has_value();
  }

  // Whether it was ended because its reader is too slow.
  [[nodiscard]] bool is_cut_off() {
    const std::scoped_lock lock(mutex_);
    return end_ && end_->code == base::Code::resource_exhausted;
  }

  void awake() {
    const std::scoped_lock lock(mutex_);
    wake_is_posted_ = false;
  }

  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    clear();
  }

 private:
  void clear() {
    messages_.clear();
    size_bytes_ = 0;
    charged_bytes_ = 0;
  }

  void wake_once() {
    {
      const std::scoped_lock lock(mutex_);
      if (wake_is_posted_ || closed_) {
        return;
      }
      wake_is_posted_ = true;
    }
    wake_();
  }

  const std::size_t max_messages_;
  const std::size_t max_size_bytes_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::shared_ptr<AnswerBudget> budget_;
  std::list<Answer> messages_;  // a deque takes 600 bytes even while it is empty, and most are
  std::size_t size_bytes_ = 0;
  std::size_t charged_bytes_ = 0;
  std::optional<base::Error> end_;
  bool wake_is_posted_ = false;
  bool closed_ = false;
};

}  // namespace parley::service
