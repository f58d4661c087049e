// WriteDeadlines: until when the clients of one loop must have taken what they asked for. A client may keep
// its connection alive and never make room for an answer: gRPC would hold the call, and the answer, for ever.
// Private to rpc. Owned by: the server; outlives the calls. The loop's thread alone.
#pragma once

#include <grpcpp/server_context.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>

#include "rpc/completion_loop.h"

namespace parley::rpc {

class WriteDeadlines {
 public:
  using Clock = std::chrono::steady_clock;

  // `patience`: the longest that any call is given.
  WriteDeadlines(CompletionLoop& loop, std::chrono::milliseconds patience)
      : loop_(loop),
        interval_(std::clamp(patience / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1'000))) {
  }

 private:
  friend class WriteDeadline;
  struct Waiting {
    grpc::ServerContext* call = nullptr;
    Clock::time_point since;
  };
  using ByDeadline = std::multimap<Clock::time_point, Waiting>;

  // More calls than answer at once (all that may be in flight) wait only if their clients do not read: then
  // the oldest go early.
  static constexpr std::size_t kManyWaiting = 30'000;
  static constexpr auto kPatienceWithMany = std::chrono::seconds(2);

  // One timer for all: a call that is written at once costs none.
  void arm() {
    if (!is_armed_ && !waiting_.empty()) {
      is_armed_ = true;
      loop_.post_after(interval_, [this] { cancel_late_ones(); });
    }
  }

  void cancel_late_ones() {
    is_armed_ = false;
    const auto now = Clock::now();
    std::size_t too_many = waiting_.size() - std::min(waiting_.size(), kManyWaiting);
    for (const auto& [deadline, waiting] : waiting_) {
      const bool is_crowded_out = too_many > 0 && now - waiting.since > kPatienceWithMany;
      if (deadline > now && !is_crowded_out) {
        break;
      }
      too_many -= too_many > 0 ? 1 : 0;
      waiting.call->TryCancel();  // it takes itself out when it hears so
    }
    arm();
  }

  CompletionLoop& loop_;
  const std::chrono::milliseconds interval_;
  ByDeadline waiting_;
  bool is_armed_ = false;
};

// Of one call, as long as gRPC owes it something.
class WriteDeadline {
 public:
  WriteDeadline(WriteDeadlines& all, grpc::ServerContext& call) : all_(all), call_(call) {}
  ~WriteDeadline() { clear(); }
  WriteDeadline(const WriteDeadline&) = delete;
  WriteDeadline& operator=(const WriteDeadline&) = delete;

  // From now on. One that comes sooner stays.
  void set(std::chrono::milliseconds patience) {
    const auto now = WriteDeadlines::Clock::now();
    const auto deadline = now + patience;
    if (place_) {
      if ((*place_)->first <= deadline) {
        return;
      }
      all_.waiting_.erase(*place_);
    }
    place_ = all_.waiting_.emplace_hint(all_.waiting_.end(), deadline,
                                        WriteDeadlines::Waiting{.call = &call_, .since = now});
    all_.arm();
  }

  // What was to be written is out, and the call goes on.
  void clear() {
    if (place_) {
      all_.waiting_.erase(*place_);
      place_.reset();
    }
  }

 private:
  WriteDeadlines& all_;
  grpc::ServerContext& call_;
  std::optional<WriteDeadlines::ByDeadline::iterator> place_;
};

}  // namespace parley::rpc
