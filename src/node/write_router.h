// WriteRouter: brings each write into the log of whoever leads (design.md, rule 6). A write waits here while
// there is no leader, is proposed if this node leads, or goes to the leader with the same bytes; after a
// change of leader, a lost link or a lost answer it is sent again, until its deadline. It also answers the
// writes that other nodes bring, and gives each committed entry the writer who waits for it.
//
// What an outcome is:
//   - refused: no attempt has ever reached a leader's log;
//   - unknown: an attempt may have, and no result is known. What happens to a later attempt never turns this
//   into
//     refused, and only a result ends it well.
//
// Passive. Owned by: the core loop. Core thread alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "node/cluster_clock.h"
#include "node/ordered_log.h"
#include "node/peer_message.h"
#include "node/pending.h"

namespace parley::node {

struct WriteLimits {
  std::chrono::milliseconds no_leader_answer{2000};  // without a leader for this long: UNAVAILABLE at once
  // A forwarded write without an answer for this long is sent again: the answer may have been lost.
  std::chrono::milliseconds resend{1500};
  std::size_t max_proposed = 65'536;  // of this leader's entries that are not applied yet; beyond: overloaded
};

class WriteRouter {
 public:
  // False: not sent, and never will be.
  using Send = std::move_only_function<bool(base::NodeId, PeerMessage)>;

  // `first_forward_id`: random, so that no answer meant for an earlier life of this node finds a write of
  // this one.
  WriteRouter(OrderedLog& log, ClusterClock& clock, Send send, WriteLimits limits,
              std::uint64_t first_forward_id, SteadyTime now);

  // A write of a client of this node; one that apply could not finish comes back the same way.
  void submit(PendingWritePtr write, SteadyTime now);
  // A command of the node itself, for which nobody waits. Nothing: not the leader, or it cannot be taken now.
  std::optional<LogPlace> propose_housekeeping(std::string_view command, SteadyTime now);
  // From another node.
  void on_forward(const raft::Member& origin, const ForwardWrite& forward, SteadyTime now);
  void on_reply(const raft::Member& from, ForwardReply reply);
  void on_link_up(SteadyTime now);
  void on_link_down(const raft::Member& peer, SteadyTime now);
  // After LogOutput::status_changed.
  void on_status(const LogStatus& status, SteadyTime now);
  // Committed entries, each with who waits for it.
  [[nodiscard]] std::vector<ApplyItem> claim(std::vector<raft::Entry> committed);
  void tick(SteadyTime now);
  // Answers everything that waits.
  void stop();

  // Nothing of a client (of this node or of another) waits.
  [[nodiscard]] bool is_idle() const;
  // No leader for WriteLimits::no_leader_answer.
  [[nodiscard]] bool is_leaderless(SteadyTime now) const;

 private:
  struct Proposed {
    LogPlace place;
    Writer writer;
  };
  struct Forwarded {
    raft::Member leader;
    SteadyTime sent_at;
    PendingWritePtr write;
  };

  void flush(SteadyTime now);
  // True: the front of waiting_ has been taken from it.
  [[nodiscard]] bool start_front(SteadyTime now);
  [[nodiscard]] bool send(std::uint64_t forward_id, const raft::Member& leader, const PendingWrite& write,
                          SteadyTime now);
  void resend(SteadyTime now);
  void lose(Writer writer);
  void take_back_forwarded(const std::function<bool(const Forwarded&)>& which, SteadyTime now);
  void reply(const RemoteWriter& to, ForwardReply answer);
  void expire(SteadyTime now);

  OrderedLog& log_;
  ClusterClock& clock_;
  Send send_;
  const WriteLimits limits_;
  LogStatus status_;
  std::optional<SteadyTime> leaderless_since_;
  std::deque<PendingWritePtr> waiting_;
  std::deque<Proposed> proposed_;  // in order of position, all of one term
  std::unordered_set<RemoteWriter, RemoteWriterHash>
      proposed_for_others_;  // those of proposed_: asked again, not twice
  std::unordered_map<std::uint64_t, Forwarded> forwarded_;
  std::uint64_t next_forward_id_;
  SteadyTime next_expiry_check_;
};

// Ends a write with what applying it came to. A later attempt may find another verdict only where the id was
// too far ahead: while an earlier one may be under way, that refusal is none.
void finish(PendingWrite& write, chat::CommandResult result);
// Ends a write without a result.
void fail(PendingWrite& write, base::Code code, std::string reason, std::string message);

}  // namespace parley::node
