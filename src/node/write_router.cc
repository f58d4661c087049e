#include "node/write_router.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "chat/command.h"
#include "node/stamped_entry.h"

namespace parley::node {
namespace {

constexpr std::chrono::milliseconds kExpiryCheck{100};
constexpr std::uint32_t kOverloadedRetry_ms = 50;

void refuse_overload(PendingWrite& write) {
  base::Error error = base::refused(base::Code::resource_exhausted, "OVERLOADED",
                                    "The cluster is busy: too many writes wait for their turn. Try again.");
  error.retry_after_ms = kOverloadedRetry_ms;
  if (write.may_have_happened) {
    error.outcome = base::Outcome::unknown;
  }
  write.done(std::unexpected(std::move(error)));
}

}  // namespace

void fail(PendingWrite& write, base::Code code, std::string reason, std::string message) {
  write.done(std::unexpected(write.may_have_happened
                                 ? base::outcome_unknown(code, std::move(reason), std::move(message))
                                 : base::refused(code, std::move(reason), std::move(message))));
}

void finish(PendingWrite& write, chat::CommandResult result) {
  const bool was_not_looked_at = result.verdict == chat::Verdict::request_id_ahead ||
                                 result.verdict == chat::Verdict::request_id_forgotten;
  if (write.may_have_happened && was_not_looked_at) {
    base::Error error = chat::to_error(result);
    error.outcome = base::Outcome::unknown;
    error.position = {};  // it decides nothing: an earlier attempt may have been executed
    write.done(std::unexpected(std::move(error)));
    return;
  }
  write.done(std::move(result));
}

WriteRouter::WriteRouter(OrderedLog& log, ClusterClock& clock, Send send, WriteLimits limits,
                         std::uint64_t first_forward_id, SteadyTime now)
    : log_(log),
      clock_(clock),
      send_(std::move(send)),
      limits_(limits),
      status_(log.status()),
      leaderless_since_(now),
      next_forward_id_(first_forward_id),
      next_expiry_check_(now) {}

void WriteRouter::submit(PendingWritePtr write, SteadyTime now) {
  waiting_.push_back(std::move(write));
  flush(now);
}

std::optional<LogPlace> WriteRouter::propose_housekeeping(std::string_view command, SteadyTime now) {
  const auto place = log_.propose(make_stamped_entry(clock_.stamp(now), command));
  return place ? std::optional(*place) : std::nullopt;
}

bool WriteRouter::is_leaderless(SteadyTime now) const {
  return leaderless_since_ && now - *leaderless_since_ >= limits_.no_leader_answer;
}

void WriteRouter::flush(SteadyTime now) {
  while (!waiting_.empty() && start_front(now)) {
    waiting_.pop_front();
  }
}

bool WriteRouter::start_front(SteadyTime now) {
  PendingWrite& write = *waiting_.front();
  if (!status_.leader) {
    if (!is_leaderless(now)) {
      return false;
    }
    fail(write, base::Code::unavailable, "NO_LEADER",
         "No leader: a majority of the nodes cannot be reached.");
    return true;
  }
  if (write.deadline <= now) {
    fail(write, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The write was not confirmed in time.");
    return true;
  }
  if (status_.is_leader) {
    if (proposed_.size() >= limits_.max_proposed) {
      refuse_overload(write);
      return true;
    }
    auto place = log_.propose(make_stamped_entry(clock_.stamp(now), write.command.view()));
    if (place) {
      proposed_.push_back({*place, std::move(waiting_.front())});
      return true;
    }
    if (place.error() != ProposeRefusal::overloaded) {
      return false;
    }
    refuse_overload(write);
    return true;
  }
  const std::uint64_t forward_id = next_forward_id_;
  if (!send(forward_id, *status_.leader, write, now)) {
    return false;
  }
  ++next_forward_id_;
  forwarded_.emplace(forward_id, Forwarded{*status_.leader, now, std::move(waiting_.front())});
  return true;
}

bool WriteRouter::send(std::uint64_t forward_id, const raft::Member& leader, const PendingWrite& write,
                       SteadyTime now) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(write.deadline - now).count();
  return send_(
      leader.id,
      ForwardWrite{.forward_id = forward_id,
                   .deadline_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, UINT32_MAX)),
                   .command = write.command});
}

void WriteRouter::reply(const RemoteWriter& to, ForwardReply answer) {
  answer.forward_id = to.forward_id;
  // Lost if there is no link: the origin asks again.
  [[maybe_unused]] const bool sent = send_(to.origin.id, std::move(answer));
}

void WriteRouter::on_forward(const raft::Member& origin, const ForwardWrite& forward, SteadyTime now) {
  const RemoteWriter writer{origin, forward.forward_id};
  if (!status_.is_leader) {
    reply(writer, {.answer = ForwardFailure::not_proposed});
    return;
  }
  if (proposed_for_others_.contains(writer)) {
    return;  // asked again: the entry is on its way, and its result answers both
  }
  // What does not decode could be applied nowhere: it must not get into the log.
  if (const auto command = chat::decode_command(forward.command.view()); !command) {
    reply(writer, {.answer = base::refused(base::Code::invalid_argument, "BAD_COMMAND", command.error())});
    return;
  }
  std::expected<LogPlace, ProposeRefusal> place = std::unexpected(ProposeRefusal::overloaded);
  if (proposed_.size() < limits_.max_proposed) {
    place = log_.propose(make_stamped_entry(clock_.stamp(now), forward.command.view()));
  }
  if (place) {
    proposed_.push_back({*place, writer});
    proposed_for_others_.insert(writer);
  } else if (place.error() == ProposeRefusal::overloaded) {
    base::Error error = base::refused(base::Code::resource_exhausted, "OVERLOADED",
                                      "The cluster is busy: too many writes wait for their turn. Try again.");
    error.retry_after_ms = kOverloadedRetry_ms;
    reply(writer, {.answer = std::move(error)});
  } else {
    reply(writer, {.answer = ForwardFailure::not_proposed});
  }
}

void WriteRouter::on_reply(const raft::Member& from, ForwardReply reply) {
  const auto found = forwarded_.find(reply.forward_id);
  if (found == forwarded_.end() || found->second.leader != from) {
    return;
  }
  PendingWritePtr write = std::move(found->second.write);
  forwarded_.erase(found);
  if (auto* result = std::get_if<chat::CommandResult>(&reply.answer)) {
    finish(*write, std::move(*result));
  } else if (auto* error = std::get_if<base::Error>(&reply.answer)) {
    // The refusal speaks of this attempt alone.
    if (write->may_have_happened) {
      error->outcome = base::Outcome::unknown;
    }
    write->done(std::unexpected(std::move(*error)));
  } else {
    if (std::get<ForwardFailure>(reply.answer) == ForwardFailure::lost) {
      write->may_have_happened = true;
    }
    // Not flushed: who said so is still the leader as far as this node knows, and would be asked again at
    // once. The next change of leader or the next tick sends it.
    waiting_.push_back(std::move(write));
  }
}

void WriteRouter::on_link_up(SteadyTime now) { flush(now); }

void WriteRouter::on_link_down(const raft::Member& peer, SteadyTime now) {
  take_back_forwarded([&peer](const Forwarded& forwarded) { return forwarded.leader == peer; }, now);
}

void WriteRouter::take_back_forwarded(const std::function<bool(const Forwarded&)>& which, SteadyTime now) {
  // In the order in which they were sent.
  std::vector<std::uint64_t> ids;
  for (const auto& [id, forwarded] : forwarded_) {
    if (which(forwarded)) {
      ids.push_back(id);
    }
  }
  if (ids.empty()) {
    return;
  }
  std::ranges::sort(ids);
  for (const std::uint64_t id : ids) {
    auto node = forwarded_.extract(id);
    node.mapped().write->may_have_happened = true;
    waiting_.push_back(std::move(node.mapped().write));
  }
  flush(now);
}

void WriteRouter::lose(Writer writer) {
  if (auto* write = std::get_if<PendingWritePtr>(&writer)) {
    (*write)->may_have_happened = true;
    waiting_.push_back(std::move(*write));
  } else if (const auto* remote = std::get_if<RemoteWriter>(&writer)) {
    reply(*remote, {.answer = ForwardFailure::lost});
  }
}

void WriteRouter::on_status(const LogStatus& status, SteadyTime now) {
  const LogStatus before = std::exchange(status_, status);
  if (status.leader) {
    leaderless_since_.reset();
  } else if (!leaderless_since_) {
    leaderless_since_ = now;
  }
  if (before.is_leader && (!status.is_leader || status.term != before.term)) {
    std::deque<Proposed> lost = std::exchange(proposed_, {});
    proposed_for_others_.clear();
    for (Proposed& proposed : lost) {
      lose(std::move(proposed.writer));
    }
  }
  // Whoever led may have died with what it was sent, or have handed over: ask the new one.
  take_back_forwarded(
      [&status](const Forwarded& forwarded) { return status.leader && forwarded.leader != *status.leader; },
      now);
  flush(now);
}

std::vector<ApplyItem> WriteRouter::claim(std::vector<raft::Entry> committed) {
  std::vector<ApplyItem> items;
  items.reserve(committed.size());
  for (raft::Entry& entry : committed) {
    ApplyItem item{std::move(entry), {}};
    while (!proposed_.empty() && proposed_.front().place.position <= item.entry.index) {
      Proposed proposed = std::move(proposed_.front());
      proposed_.pop_front();
      if (const auto* remote = std::get_if<RemoteWriter>(&proposed.writer)) {
        proposed_for_others_.erase(*remote);
      }
      if (proposed.place == LogPlace{item.entry.index, item.entry.term}) {
        item.writer = std::move(proposed.writer);
      } else {
        // Another leader's entry stands where this one was.
        lose(std::move(proposed.writer));
      }
    }
    items.push_back(std::move(item));
  }
  return items;
}

void WriteRouter::expire(SteadyTime now) {
  std::erase_if(waiting_, [&](const PendingWritePtr& write) {
    const bool is_late = write->deadline <= now;
    if (is_late) {
      fail(*write, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED",
           "The write was not confirmed in time.");
    }
    return is_late;
  });
  std::erase_if(forwarded_, [&](auto& item) {
    PendingWrite& write = *item.second.write;
    const bool is_late = write.deadline <= now;
    if (is_late) {
      write.may_have_happened = true;
      fail(write, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The write was not confirmed in time.");
    }
    return is_late;
  });
  for (Proposed& proposed : proposed_) {
    auto* write = std::get_if<PendingWritePtr>(&proposed.writer);
    if (write == nullptr || (*write)->deadline > now) {
      continue;
    }
    (*write)->may_have_happened = true;
    fail(**write, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The write was not confirmed in time.");
    proposed.writer = {};  // the entry stays in the log; nobody waits for it any more
  }
}

// To the same leader under the same id: the answer to any of them counts. A leader that is slow would
// otherwise be asked again and again, and never heard. Without a leader it waits for one, as all do.
void WriteRouter::resend(SteadyTime now) {
  take_back_forwarded(
      [&](const Forwarded& forwarded) {
        return now - forwarded.sent_at >= limits_.resend && status_.leader != forwarded.leader;
      },
      now);
  for (auto& [id, forwarded] : forwarded_) {
    if (now - forwarded.sent_at >= limits_.resend) {
      forwarded.sent_at = now;
      forwarded.write->may_have_happened = true;
      [[maybe_unused]] const bool sent = send(id, forwarded.leader, *forwarded.write, now);
    }
  }
}

void WriteRouter::tick(SteadyTime now) {
  if (now >= next_expiry_check_) {
    next_expiry_check_ = now + kExpiryCheck;
    expire(now);
    resend(now);
  }
  flush(now);
}

void WriteRouter::stop() {
  for (Proposed& proposed : proposed_) {
    lose(std::move(proposed.writer));
  }
  proposed_.clear();
  proposed_for_others_.clear();
  for (auto& [id, forwarded] : forwarded_) {
    forwarded.write->may_have_happened = true;
    waiting_.push_back(std::move(forwarded.write));
  }
  forwarded_.clear();
  for (const PendingWritePtr& write : waiting_) {
    fail(*write, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
  }
  waiting_.clear();
}

bool WriteRouter::is_idle() const {
  return waiting_.empty() && forwarded_.empty() &&
         std::ranges::none_of(proposed_, [](const Proposed& proposed) {
           return std::holds_alternative<PendingWritePtr>(proposed.writer) ||
                  std::holds_alternative<RemoteWriter>(proposed.writer);
         });
}

}  // namespace parley::node
