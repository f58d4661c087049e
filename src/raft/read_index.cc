#include "raft/read_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace parley::raft {

void LeaderReads::add_local(std::uint64_t read_id) {
  fresh_.local.push_back(read_id);
  ++pending_;
}

void LeaderReads::add_remote(const RemoteRead& read) {
  if (std::ranges::find(fresh_.remote, read) != fresh_.remote.end()) return;
  fresh_.remote.push_back(read);
  ++pending_;
}

bool LeaderReads::wants_round() const {
  return rounds_.empty() && (!fresh_.local.empty() || !fresh_.remote.empty());
}

void LeaderReads::start_round(std::uint64_t round, Index commit) {
  if (fresh_.local.empty() && fresh_.remote.empty()) return;
  fresh_.round = round;
  fresh_.index = commit;
  rounds_.push_back(std::exchange(fresh_, {}));
}

std::vector<ReadBatch> LeaderReads::confirm(std::uint64_t round) {
  std::vector<ReadBatch> confirmed;
  while (!rounds_.empty() && rounds_.front().round <= round) {
    pending_ -= rounds_.front().local.size() + rounds_.front().remote.size();
    confirmed.push_back(std::move(rounds_.front()));
    rounds_.pop_front();
  }
  return confirmed;
}

std::vector<ReadBatch> LeaderReads::fail_all() {
  std::vector<ReadBatch> failed(std::make_move_iterator(rounds_.begin()),
                                std::make_move_iterator(rounds_.end()));
  failed.push_back(std::exchange(fresh_, {}));
  rounds_.clear();
  pending_ = 0;
  return failed;
}

void FollowerReads::start_request(std::uint64_t wire_id, std::uint64_t now) {
  asked_ = Request{.wire_id = wire_id, .asked_at = now, .sent_at = now, .reads = std::exchange(fresh_, {})};
}

std::vector<std::uint64_t> FollowerReads::answered(std::uint64_t wire_id) {
  if (!asked_ || asked_->wire_id != wire_id) return {};
  std::vector<std::uint64_t> reads = std::move(asked_->reads);
  asked_.reset();
  return reads;
}

std::vector<std::uint64_t> FollowerReads::fail_all() {
  std::vector<std::uint64_t> failed = std::exchange(fresh_, {});
  if (asked_) failed.insert(failed.end(), asked_->reads.begin(), asked_->reads.end());
  asked_.reset();
  return failed;
}

}  // namespace parley::raft
