#include "raft/durability.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "raft/index_math.h"

namespace parley::raft {
bool says_it_all(const Message& later, const Message& earlier) {
  if (later.to != earlier.to || later.term != earlier.term) return false;
  if (const auto* heartbeat = std::get_if<HeartbeatResponse>(&later.body))
    return later.body == earlier.body && heartbeat->round == 0;
  const auto* now = std::get_if<AppendResponse>(&later.body);
  const auto* then = std::get_if<AppendResponse>(&earlier.body);
  return now != nullptr && then != nullptr && !now->rejected && !then->rejected &&
         now->match_index >= then->match_index;
}

std::uint64_t Durability::start_batch(Index last) {
  ++last_batch_;
  under_way_.push_back({.number = last_batch_, .last = last});
  return last_batch_;
}

void Durability::truncate_from(Index index) {
  for (Batch& batch : under_way_) batch.last = std::min(batch.last, before(index));
}

std::optional<Index> Durability::finish_batch(std::uint64_t number) {
  base::ensure(number <= last_batch_, "only a batch that was given out can be stored");
  std::optional<Index> stored;
  while (!under_way_.empty() && under_way_.front().number <= number) {
    stored = std::max(stored.value_or(Index()), under_way_.front().last);
    under_way_.pop_front();
  }
  finished_batch_ = std::max(finished_batch_, number);
  return stored;
}

void Durability::hold(Message message, bool needs_batch) {
  const std::uint64_t batch = needs_batch ? last_batch_ + 1 : last_batch_;
  if (!held_.empty() && held_.back().batch == batch && says_it_all(message, held_.back().message)) {
    held_.back().message = std::move(message);
    return;
  }
  held_.push_back({.batch = batch, .message = std::move(message)});
}

std::vector<Message> Durability::release() {
  std::vector<Message> released;
  while (!held_.empty() && held_.front().batch <= finished_batch_) {
    if (!released.empty() && says_it_all(held_.front().message, released.back())) released.pop_back();
    released.push_back(std::move(held_.front().message));
    held_.pop_front();
  }
  return released;
}

}  // namespace parley::raft
