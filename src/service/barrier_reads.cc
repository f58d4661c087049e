#include "service/barrier_reads.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace parley::service {
namespace {

// All of a batch run in one snapshot, which must not be held for long.
constexpr std::size_t kMaxWaiting = 4'096;
// Who waits for the next one is not told before that it is too late for it.
constexpr auto kLongestBatch = std::chrono::seconds(1);

base::Error too_late() {
  return base::refused(base::Code::deadline_exceeded, "DEADLINE_EXCEEDED",
                       "The read was not answered in time.");
}

}  // namespace

void BarrierReads::read(node::Deadline deadline, node::ReadCallback done) {
  std::vector<Waiting> batch;
  bool is_full = false;
  {
    const std::scoped_lock lock(mutex_);
    is_full = in_flight_ && waiting_.size() >= kMaxWaiting;
    if (!is_full) {
      auto& into = in_flight_ ? waiting_ : batch;
      into.push_back({deadline, std::move(done)});
      in_flight_ = true;
    }
  }
  if (is_full) {
    auto error = base::refused(base::Code::resource_exhausted, "TOO_MANY_LOOKUPS",
                               "Too many sessions are being looked up on this node; try again.");
    error.retry_after_ms = 100;
    done(std::unexpected(std::move(error)), {});  // NOLINT(bugprone-use-after-move): not moved when full
  } else if (!batch.empty()) {
    begin(std::move(batch));
  }
}

// Whoever is in a hurry must not make a batch fail for all: its deadline is that of the most patient.
void BarrierReads::begin(std::vector<Waiting> batch) {
  const auto farthest = std::ranges::max_element(batch, {}, &Waiting::deadline)->deadline;
  const auto deadline = std::min(farthest, clock_() + kLongestBatch);
  node_.read(node::ReadMode::linearizable, deadline,
             [self = shared_from_this(), batch = std::move(batch)](base::Result<chat::Reader*> reader,
                                                                   const node::AsOf& as_of) mutable {
               self->finish(std::move(batch), std::move(reader), as_of);
             });
}

void BarrierReads::finish(std::vector<Waiting> batch, base::Result<chat::Reader*> reader,
                          const node::AsOf& as_of) {
  const auto now = clock_();
  const bool ran_out = !reader && reader.error().code == base::Code::deadline_exceeded;
  std::vector<Waiting> again;
  for (auto& waiting : batch) {
    const bool is_late = waiting.deadline <= now;
    if (ran_out && !is_late) {
      again.push_back(std::move(waiting));
    } else if (reader && is_late) {
      waiting.done(std::unexpected(too_late()), {});
    } else {
      waiting.done(reader, as_of);
    }
  }
  go_on(std::move(again), now);
}

// Begins the next batch, if anybody waits for one: with `again`, for whom this one was too short.
void BarrierReads::go_on(std::vector<Waiting> again, node::Deadline now) {
  std::vector<Waiting> late;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& waiting : waiting_) {
      (waiting.deadline <= now ? late : again).push_back(std::move(waiting));
    }
    waiting_.clear();
    in_flight_ = !again.empty();
  }
  for (auto& waiting : late) {
    waiting.done(std::unexpected(too_late()), {});
  }
  if (!again.empty()) {
    begin(std::move(again));
  }
}

}  // namespace parley::service
