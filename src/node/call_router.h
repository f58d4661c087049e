// CallRouter: brings the API calls that this node cannot answer from its own state to whoever leads, and says
// which calls of other nodes this one answers (design.md, rule 16). A call waits here while there is no
// leader to take it to; what did not reach one, or was not served by it, goes to the present leader until the
// call's deadline.
//
// What an outcome is, as for writes (write_router.h): a write whose answer was lost may have happened, and no
// later refusal of it is told as one. It is sent again if its request_id makes that safe; otherwise it ends
// there as unknown. A read is sent again always.
//
// Passive. Owned by: the core loop. Core thread alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "node/ordered_log.h"
#include "node/peer_message.h"
#include "node/pending.h"

namespace parley::node {

struct CallLimits {
  std::chrono::milliseconds no_leader_answer{2000};  // without a leader for this long: UNAVAILABLE at once
  std::chrono::milliseconds retry{100};              // of a call that the leader could not serve
  // Without an answer for this long it is sent again: the answer may have been lost. Longer than a password
  // takes that waits for its turn.
  std::chrono::milliseconds resend{6000};
};

class CallRouter {
 public:
  // False: not sent, and never will be.
  using Send = std::move_only_function<bool(base::NodeId, PeerMessage)>;
  // Has a peer's call answered by this node, on another thread. False, and the call untouched: too many are
  // under way.
  using Serve = std::move_only_function<bool(const raft::Member& origin, ForwardCall& forward)>;

  // `first_forward_id`: random, so that no answer meant for an earlier life of this node finds a call of this
  // one.
  CallRouter(Send send, Serve serve, CallLimits limits, std::uint64_t first_forward_id, SteadyTime now);

  // A call of a client of this node.
  void submit(PendingCallPtr call, SteadyTime now);
  // From another node.
  void on_forward(const raft::Member& origin, ForwardCall forward);
  void on_reply(const raft::Member& from, CallReply reply, SteadyTime now);
  void on_link_up(SteadyTime now);
  void on_link_down(const raft::Member& peer, SteadyTime now);
  // After LogOutput::status_changed.
  void on_status(const LogStatus& status, SteadyTime now);
  // Whether this node answers while it leads: it can apply, and is not about to stop.
  void may_serve(bool allowed) { may_serve_ = allowed; }
  void tick(SteadyTime now);
  // Answers everything that waits.
  void stop();

 private:
  struct Forwarded {
    raft::Member leader;
    SteadyTime sent_at;
    PendingCallPtr call;
  };

  // True: it has been taken, or answered.
  [[nodiscard]] bool start(PendingCallPtr& call, SteadyTime now);
  // False: not sent, and it may be tried again under the same id.
  [[nodiscard]] bool send(std::uint64_t forward_id, const raft::Member& leader, const PendingCall& call,
                          SteadyTime now);
  void flush(SteadyTime now);
  // Its answer will not come, or is not waited for any longer.
  void lose(PendingCallPtr call);
  void take_back(const std::function<bool(const Forwarded&)>& which, SteadyTime now);
  void expire(SteadyTime now);
  void resend(SteadyTime now);

  Send send_;
  Serve serve_;
  const CallLimits limits_;
  bool may_serve_ = true;
  bool is_leader_ = false;
  std::optional<raft::Member> leader_;
  SteadyTime leaderless_since_;
  std::vector<PendingCallPtr> waiting_;
  std::map<std::uint64_t, Forwarded> forwarded_;  // oldest first
  std::uint64_t next_forward_id_;
  SteadyTime next_expiry_check_;
};

// Ends a call without an answer.
void fail(PendingCall& call, base::Code code, std::string reason, std::string message);

}  // namespace parley::node
