// What waits inside a node: writes for their entry to be applied, reads for their barrier. Each holds a place
// in a bounded number of them (P6) until it is answered. Owned by: whichever stage has it; it is moved, never
// shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/payload.h"
#include "node/boot_time.h"
#include "node/chat_node.h"
#include "node/steady_time.h"
#include "raft/types.h"

namespace parley::node {

// Counts what is under way; full: overload is answered at once. Any thread.
class Places {
 public:
  explicit Places(std::size_t capacity) : capacity_(capacity) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  // All of them if there is room for one: a frame of messages is taken whole.
  [[nodiscard]] bool try_take(std::size_t count = 1) {
    if (taken_.fetch_add(count, std::memory_order_relaxed) < capacity_) {
      return true;
    }
    taken_.fetch_sub(count, std::memory_order_relaxed);
    return false;
  }
  void give_back(std::size_t count = 1) { taken_.fetch_sub(count, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t taken() const { return taken_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  const std::size_t capacity_;
  std::atomic<std::size_t> taken_{0};
};

// One place or several, given back when destroyed.
class Place {
 public:
  Place() = default;
  // Nothing: all are taken.
  [[nodiscard]] static std::optional<Place> take(const std::shared_ptr<Places>& places,
                                                 std::size_t count = 1) {
    if (!places->try_take(count)) {
      return std::nullopt;
    }
    return Place(places, count);
  }
  Place(Place&& other) noexcept : places_(std::move(other.places_)), count_(other.count_) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(places_, other.places_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Place() {
    if (places_) {
      places_->give_back(count_);
    }
  }

 private:
  Place(std::shared_ptr<Places> places, std::size_t count) : places_(std::move(places)), count_(count) {}
  std::shared_ptr<Places> places_;
  std::size_t count_ = 0;
};

// A write that a client of this node waits for.
struct PendingWrite {
  base::Payload command;
  Deadline deadline;
  WriteCallback done;
  Place place;
  // An attempt of it may have reached a leader's log: from here on it is never "refused" by what happens to a
  // later attempt (rule 6).
  bool may_have_happened = false;
};
using PendingWritePtr = std::unique_ptr<PendingWrite>;

// A write that another node has forwarded to this one.
struct RemoteWriter {
  raft::Member origin;
  std::uint64_t forward_id = 0;
  bool operator==(const RemoteWriter&) const = default;
};

struct RemoteWriterHash {
  [[nodiscard]] std::size_t operator()(const RemoteWriter& writer) const {
    return std::hash<std::uint64_t>{}(writer.forward_id ^ (std::uint64_t{writer.origin.id.value()} << 48));
  }
};

// Who waits for an entry, if anybody.
using Writer = std::variant<std::monostate, PendingWritePtr, RemoteWriter>;

// A committed entry on its way to the state machine, and who waits for its result.
struct ApplyItem {
  raft::Entry entry;
  Writer writer;
};

struct PendingRead {
  ReadMode mode = ReadMode::linearizable;
  Deadline deadline;
  ReadCallback done;
  Place place;
  base::Position needs;  // what its snapshot must have applied at least
};

// A call of a client of this node that the leader has to answer.
struct PendingCall {
  CallToLeader what;
  ApiCallback done;
  Place place;
  Place bytes;
  SteadyTime retry_at;  // not sent before
};
using PendingCallPtr = std::unique_ptr<PendingCall>;

// Reads whose barrier has been answered: good for any state that has applied `position`. Without reads: a
// probe that only tells how fresh the state is.
struct ReadyReads {
  base::Position position;
  BootTime asked_at;  // when this node sent the question that a leader, confirmed by its quorum, answered
  std::vector<PendingRead> reads;
};

}  // namespace parley::node
