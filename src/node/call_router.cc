#include "node/call_router.h"

#include <algorithm>
#include <string>
#include <utility>

namespace parley::node {
namespace {

constexpr std::chrono::milliseconds kExpiryCheck{100};
constexpr std::uint32_t kOverloadedRetry_ms = 100;

// Nothing of a read is left behind, whatever became of it.
bool is_unknown(const CallToLeader& call) { return call.is_write && call.may_have_happened; }

}  // namespace

void fail(PendingCall& call, base::Code code, std::string reason, std::string message) {
  call.done(std::unexpected(is_unknown(call.what)
                                ? base::outcome_unknown(code, std::move(reason), std::move(message))
                                : base::refused(code, std::move(reason), std::move(message))));
}

CallRouter::CallRouter(Send send, Serve serve, CallLimits limits, std::uint64_t first_forward_id,
                       SteadyTime now)
    : send_(std::move(send)),
      serve_(std::move(serve)),
      limits_(limits),
      leaderless_since_(now),
      next_forward_id_(first_forward_id),
      next_expiry_check_(now) {}

// ---- of this node's clients ----

void CallRouter::submit(PendingCallPtr call, SteadyTime now) {
  if (!start(call, now)) {
    waiting_.push_back(std::move(call));
  }
}

bool CallRouter::start(PendingCallPtr& call, SteadyTime now) {
  const CallToLeader& what = call->what;
  if (what.deadline <= now) {
    fail(*call, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED",
         "This node's state cannot be used, and no leader answered in time.");
    return true;
  }
  if (!leader_) {
    if (now - leaderless_since_ < limits_.no_leader_answer) {
      return false;
    }
    fail(*call, base::Code::unavailable, "NO_LEADER",
         "This node's state cannot be used, and there is no leader to ask.");
    return true;
  }
  if (is_leader_) {
    // It applies, and cannot be read all the same, or has come back just now. Else it is handing over.
    if (may_serve_) {
      fail(*call, base::Code::unavailable, "STATE_FAILED",
           "This node leads, and its state could not be read. Try again.");
    }
    return may_serve_;
  }
  if (!what.is_repeatable && what.may_have_happened) {
    fail(*call, base::Code::unavailable, "STATE_FAILED",
         "This node's state cannot be used, and the call cannot be made twice.");
    return true;
  }
  const std::uint64_t forward_id = next_forward_id_;
  if (now < call->retry_at || !send(forward_id, *leader_, *call, now)) {
    return false;
  }
  ++next_forward_id_;
  forwarded_.emplace(forward_id, Forwarded{*leader_, now, std::move(call)});
  return true;
}

bool CallRouter::send(std::uint64_t forward_id, const raft::Member& leader, const PendingCall& call,
                      SteadyTime now) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call.what.deadline - now).count();
  return send_(
      leader.id,
      ForwardCall{.forward_id = forward_id,
                  .deadline_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, UINT32_MAX)),
                  .call = call.what.call});
}

void CallRouter::flush(SteadyTime now) {
  std::erase_if(waiting_, [&](PendingCallPtr& call) { return start(call, now); });
}

void CallRouter::on_reply(const raft::Member& from, CallReply reply, SteadyTime now) {
  const auto found = forwarded_.find(reply.forward_id);
  if (found == forwarded_.end() || found->second.leader != from) {
    return;
  }
  PendingCallPtr call = std::move(found->second.call);
  forwarded_.erase(found);
  if (auto* response = std::get_if<base::Payload>(&reply.answer)) {
    call->done(std::string(response->view()));
  } else if (auto* error = std::get_if<base::Error>(&reply.answer)) {
    // Rule 6: what this attempt was refused says nothing of an earlier one, unless the log decided it.
    if (is_unknown(call->what) && error->reason == "REQUEST_ID_FORGOTTEN") {
      error->position = {};  // as in write_router.cc, finish()
    }
    if (is_unknown(call->what) && !error->is_final()) {
      error->outcome = base::Outcome::unknown;
    }
    call->done(std::unexpected(std::move(*error)));
  } else if (std::get<CallFailure>(reply.answer) == CallFailure::lost) {
    call->retry_at = now + limits_.retry;
    lose(std::move(call));
  } else {
    // Who said so is still the leader as far as this node knows, and would be asked again at once.
    call->retry_at = now + limits_.retry;
    waiting_.push_back(std::move(call));
  }
}

void CallRouter::lose(PendingCallPtr call) {
  call->what.may_have_happened = true;
  if (call->what.is_repeatable) {
    waiting_.push_back(std::move(call));
  } else {
    fail(*call, base::Code::unavailable, "LEADER_LOST", "The leader was asked, and its answer did not come.");
  }
}

void CallRouter::take_back(const std::function<bool(const Forwarded&)>& which, SteadyTime now) {
  for (auto item = forwarded_.begin(); item != forwarded_.end();) {
    if (which(item->second)) {
      lose(std::move(item->second.call));
      item = forwarded_.erase(item);
    } else {
      ++item;
    }
  }
  flush(now);
}

void CallRouter::on_link_up(SteadyTime now) { flush(now); }

void CallRouter::on_link_down(const raft::Member& peer, SteadyTime now) {
  take_back([&peer](const Forwarded& forwarded) { return forwarded.leader == peer; }, now);
}

void CallRouter::on_status(const LogStatus& status, SteadyTime now) {
  if (leader_ && !status.leader) {
    leaderless_since_ = now;
  }
  const bool is_other = status.leader && leader_ != status.leader;
  leader_ = status.leader;
  is_leader_ = status.is_leader;
  if (!is_other) {
    return;
  }
  for (const PendingCallPtr& call : waiting_) {
    call->retry_at = now;
  }
  // Whoever led may be hanging, or dead. What cannot be sent again waits for its answer all the same.
  take_back(
      [this](const Forwarded& forwarded) {
        return forwarded.call->what.is_repeatable && forwarded.leader != *leader_;
      },
      now);
}

void CallRouter::expire(SteadyTime now) {
  std::erase_if(forwarded_, [&](auto& item) {
    PendingCall& call = *item.second.call;
    const bool is_late = call.what.deadline <= now;
    if (is_late) {
      call.what.may_have_happened = true;
      fail(call, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The leader did not answer in time.");
    }
    return is_late;
  });
}

// Under the same id: the answer to any of them counts, also one that comes after all.
void CallRouter::resend(SteadyTime now) {
  for (auto& [id, forwarded] : forwarded_) {
    if (forwarded.call->what.is_repeatable && now - forwarded.sent_at >= limits_.resend) {
      forwarded.sent_at = now;
      forwarded.call->what.may_have_happened = true;
      [[maybe_unused]] const bool sent = send(id, forwarded.leader, *forwarded.call, now);
    }
  }
}

void CallRouter::tick(SteadyTime now) {
  if (now >= next_expiry_check_) {
    next_expiry_check_ = now + kExpiryCheck;
    expire(now);
    resend(now);
  }
  flush(now);
}

void CallRouter::stop() {
  for (auto& [id, forwarded] : std::exchange(forwarded_, {})) {
    forwarded.call->what.may_have_happened = true;
    waiting_.push_back(std::move(forwarded.call));
  }
  for (const PendingCallPtr& call : std::exchange(waiting_, {})) {
    fail(*call, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
  }
}

// ---- of other nodes ----

void CallRouter::on_forward(const raft::Member& origin, ForwardCall forward) {
  CallReply reply{.forward_id = forward.forward_id, .answer = CallFailure::not_served};
  if (is_leader_ && may_serve_) {
    if (serve_(origin, forward)) {
      return;
    }
    base::Error error = base::refused(base::Code::resource_exhausted, "OVERLOADED",
                                      "The leader has too many calls of other nodes under way. Try again.");
    error.retry_after_ms = kOverloadedRetry_ms;
    reply.answer = std::move(error);
  }
  // Lost if there is no link: the origin asks again.
  [[maybe_unused]] const bool sent = send_(origin.id, std::move(reply));
}

}  // namespace parley::node
