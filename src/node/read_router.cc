#include "node/read_router.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace parley::node {
namespace {

void append(std::vector<PendingRead>& to, std::vector<PendingRead>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

void fail(PendingRead& read, base::Code code, std::string reason, std::string message) {
  read.done(std::unexpected(base::refused(code, std::move(reason), std::move(message))), AsOf{});
}

ReadRouter::ReadRouter(OrderedLog& log, ReadLimits limits, SteadyTime now)
    : log_(log), limits_(limits), leaderless_since_(now), last_asked_(now) {}

void ReadRouter::submit(PendingRead read) { fresh_.push_back(std::move(read)); }

void ReadRouter::ask(SteadyTime now, BootTime boot_now) {
  if (fresh_.empty()) {
    return;
  }
  if (!has_leader_) {
    append(failed_, fresh_);
    if (now - leaderless_since_ >= limits_.no_leader_answer) {
      drop_expired(now);
    }
    return;
  }
  ask_for(std::exchange(fresh_, {}), now, boot_now);
}

void ReadRouter::ask_for(std::vector<PendingRead> reads, SteadyTime now, BootTime boot_now) {
  const std::uint64_t id = next_barrier_id_++;
  asked_.emplace(id, Asked{.at = now, .boot_at = boot_now, .reads = std::move(reads)});
  last_asked_ = now;
  log_.barrier(id);
}

std::vector<ReadyReads> ReadRouter::on_answers(const std::vector<BarrierAnswer>& answers) {
  std::vector<ReadyReads> ready;
  for (const BarrierAnswer& answer : answers) {
    const auto found = asked_.find(answer.barrier_id);
    if (found == asked_.end()) {
      continue;
    }
    if (answer.position) {
      ready.push_back({*answer.position, found->second.boot_at, std::move(found->second.reads)});
    } else {
      append(failed_, found->second.reads);
    }
    asked_.erase(found);
  }
  return ready;
}

void ReadRouter::on_status(const LogStatus& status, SteadyTime now) {
  if (has_leader_ && !status.leader) {
    leaderless_since_ = now;
  }
  // The first probe of a new leader leaves with the next tick.
  if (!has_leader_ && status.leader) {
    last_asked_ = now - limits_.probe;
  }
  has_leader_ = status.leader.has_value();
  // What was asked of another leader may never be answered.
  for (auto& [id, asked] : asked_) {
    append(failed_, asked.reads);
  }
  asked_.clear();
  if (has_leader_) {
    append(fresh_, failed_);
  }
}

void ReadRouter::retry_late(SteadyTime now) {
  while (!asked_.empty() && now - asked_.begin()->second.at >= limits_.resend) {
    append(failed_, asked_.begin()->second.reads);
    asked_.erase(asked_.begin());
  }
}

void ReadRouter::drop_expired(SteadyTime now) {
  const bool is_leaderless = !has_leader_ && now - leaderless_since_ >= limits_.no_leader_answer;
  std::erase_if(failed_, [&](PendingRead& read) {
    if (is_leaderless) {
      fail(read, base::Code::unavailable, "NO_LEADER",
           "No leader: a majority of the nodes cannot be reached.");
    } else if (read.deadline <= now) {
      fail(read, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The read was not answered in time.");
    } else {
      return false;
    }
    return true;
  });
}

void ReadRouter::tick(SteadyTime now, BootTime boot_now) {
  retry_late(now);
  drop_expired(now);
  if (!has_leader_) {
    return;
  }
  append(fresh_, failed_);
  if (fresh_.empty() && now - last_asked_ >= limits_.probe) {
    ask_for({}, now, boot_now);
  }
}

void ReadRouter::stop() {
  for (auto& [id, asked] : asked_) {
    append(failed_, asked.reads);
  }
  asked_.clear();
  append(failed_, fresh_);
  for (PendingRead& read : failed_) {
    fail(read, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
  }
  failed_.clear();
}

}  // namespace parley::node
