#include "service/barrier_reads.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace parley::service {
namespace {

// All of a batch run in one snapshot, which must not be held for long.
constexpr std::size_t kMaxWaiting = 4'096;
// A patient caller's read must not keep a hasty one, which waits for the next, beyond its own deadline.
constexpr auto kLongestBatch = std::chrono::seconds(1);

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

void BarrierReads::begin(std::vector<Waiting> batch) {
  const auto nearest = std::ranges::min_element(batch, {}, &Waiting::deadline)->deadline;
  const auto deadline = std::min(nearest, std::chrono::steady_clock::now() + kLongestBatch);
  node_.read(node::ReadMode::linearizable, deadline,
             [self = shared_from_this(), batch = std::move(batch)](base::Result<chat::Reader*> reader,
                                                                   const node::AsOf& as_of) mutable {
               self->finish(std::move(batch), std::move(reader), as_of);
             });
}

void BarrierReads::finish(std::vector<Waiting> batch, base::Result<chat::Reader*> reader,
                          const node::AsOf& as_of) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<Waiting> again;
  for (auto& waiting : batch) {
    const bool only_this_batch_ran_out =
        !reader && reader.error().code == base::Code::deadline_exceeded && now < waiting.deadline;
    if (only_this_batch_ran_out) {
      again.push_back(std::move(waiting));
    } else {
      waiting.done(reader, as_of);
    }
  }
  {
    const std::scoped_lock lock(mutex_);
    std::ranges::move(waiting_, std::back_inserter(again));
    waiting_.clear();
    in_flight_ = !again.empty();
  }
  if (!again.empty()) {
    begin(std::move(again));
  }
}

}  // namespace parley::service
