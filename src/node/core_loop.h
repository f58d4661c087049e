// CoreLoop: the heart of a node: everything that touches the ordered log. Passive: turn() is given all events
// that have arrived, and what time it is; then nothing is left to do until the next event or next_wakeup().
// In each turn all received messages are stepped first, then at most one tick (a tick that comes late counts
// once), then the output is taken. Owned by: the replica. Core thread alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "node/address_book.h"
#include "node/admission.h"
#include "node/applier.h"
#include "node/call_router.h"
#include "node/cluster_clock.h"
#include "node/core_events.h"
#include "node/founding.h"
#include "node/house_pace.h"
#include "node/leadership_log.h"
#include "node/raft_log.h"
#include "node/read_router.h"
#include "node/write_router.h"

namespace parley::node {

// For the apply thread. In order; within one: entries, then reads.
struct ApplyBatch {
  std::vector<ApplyItem> items;
  std::vector<ReadyReads> ready;
};
using ApplyWork = std::variant<ApplyBatch, PendingRead>;

// What the core loop does to the rest of the node. None of it blocks.
class CorePorts {
 public:
  virtual ~CorePorts() = default;
  [[nodiscard]] virtual bool send(base::NodeId to, PeerMessage message) = 0;
  // After all that a turn sends.
  virtual void flush() = 0;
  [[nodiscard]] virtual bool store(raft::StorageBatch& batch) = 0;
  [[nodiscard]] virtual bool fetch(raft::FetchRequest& request) = 0;
  // False, and the batch untouched: the queue is full, offer it again.
  [[nodiscard]] virtual bool apply(ApplyBatch& batch) = 0;
  // Has a peer's call answered, on another thread. False, and the call untouched: too many are under way.
  [[nodiscard]] virtual bool serve_call(const raft::Member& origin, ForwardCall& forward) = 0;
  // Entry 1 is on this node's disk, or was found there. Once.
  virtual void founded(const raft::Founding& founding) = 0;
  virtual void set_peers(std::vector<PeerAddresses> peers) = 0;
  // The announced addresses in the state; a NodesKnown event is the answer, if any.
  virtual void ask_nodes() = 0;
  // With the wall time that commands are stamped with, as far as this node knows.
  virtual void publish(NodeStatus status, std::int64_t wall_unix_ms, SteadyTime at) = 0;
  // What the node's clock says; the core loop itself reads none.
  [[nodiscard]] virtual std::int64_t wall_unix_ms() = 0;
  // Goes on while the machine sleeps: for what is told of how old an answer is.
  [[nodiscard]] virtual BootTime boot_time() = 0;
  // For a founding, from the OS.
  [[nodiscard]] virtual FoundingSecrets make_secrets() = 0;
};

struct CoreLoopOptions {
  std::vector<ListedNode> listed;
  chat::AnnounceNode addresses;  // of this node, to be announced in the log
  std::chrono::milliseconds tick{20};
  WriteLimits writes;
  ReadLimits reads;
  CallLimits calls;
  std::uint64_t first_forward_id = 1;  // random in every process: of writes and calls that are forwarded
};

// A batch that takes longer (a slow disk, a far majority) is not waited for: the next goes beside it.
inline constexpr std::chrono::milliseconds kLongestGathering{2};

class CoreLoop final : private RaftWorld {
 public:
  // `founding`: entry 1, if the log has it. `last_stamp`: the newest in the log.
  CoreLoop(raft::Core core, std::optional<raft::Founding> founding, chat::Stamp last_stamp,
           CoreLoopOptions options, CorePorts& ports, Admission& admission, const ApplyProgress& progress,
           std::shared_ptr<Places> writes_under_way, SteadyTime now);

  void turn(std::deque<CoreEvent> events, SteadyTime now);
  [[nodiscard]] SteadyTime next_wakeup() const;
  // A batch is under way: writes that come now wait for its end, or for next_wakeup(), and go together.
  [[nodiscard]] bool gathers() const;
  // Answers everything that waits. Nothing may be called after it.
  void stop();

 private:
  // RaftWorld
  void send(raft::Message message) override;
  [[nodiscard]] bool store(raft::StorageBatch& batch) override;
  [[nodiscard]] bool fetch(raft::FetchRequest& request) override { return ports_.fetch(request); }

  void on(PendingWritePtr& write);
  void on(PendingRead& read);
  void on(PendingCallPtr& call);
  void on(PeerSaid& said);
  void on(HelloHeard& heard);
  void on(LinkUp& up);
  void on(LinkDown& down);
  void on(Refused& refused);
  void on(Persisted& persisted);
  void on(Fetched& fetched);
  void on(GivenBack& given_back);
  void on(CannotApply& cannot);
  void on(NodesKnown& known);
  void on(PrepareStop& prepare);
  void on_message(const raft::Member& from, PeerMessage& message);
  void on_raft(const raft::Member& from, const RaftMessage& message);
  void release_gathered();
  void note_stamps(const std::vector<raft::Entry>& entries);
  void tick();
  void found();
  void founded();
  void take_output();
  void on_status();
  void offer_work();
  void keep_house();
  [[nodiscard]] bool is_tick_due() const;
  void announce();
  void publish_status(bool at_once);
  [[nodiscard]] NodeStatus make_status() const;
  [[nodiscard]] PeerView view_of(const raft::Member& member, bool is_voter, const raft::Status& status) const;
  [[nodiscard]] std::string trouble() const;

  const CoreLoopOptions options_;
  const raft::Member self_;
  CorePorts& ports_;
  Admission& admission_;
  const ApplyProgress& progress_;
  std::shared_ptr<Places> writes_under_way_;
  SteadyTime now_;
  BootTime boot_now_;

  RaftLog log_;
  ClusterClock clock_;
  WriteRouter writes_;
  ReadRouter reads_;
  CallRouter calls_;
  Founder founder_;
  AddressBook addresses_;
  LeadershipLog leadership_;

  struct GatheredForward {
    raft::Member origin;
    ForwardWrite forward;
  };
  using Gathered = std::variant<PendingWritePtr, GatheredForward>;

  std::deque<Gathered> gathered_;              // in the order of arrival
  std::optional<SteadyTime> gathering_since_;  // something is in gathered_
  LogStatus status_;
  std::optional<raft::Founding> founding_;       // entry 1, stored or about to be
  std::vector<PeerAddresses> peers_;             // what the transport was told last
  raft::Configuration members_;                  // what the admission was told last
  std::map<base::NodeId, SteadyTime> heard_at_;  // any message
  std::map<base::NodeId, raft::Member> links_;   // that are up
  ApplyBatch unoffered_;
  std::string cannot_apply_;
  bool is_stopping_ = false;
  std::optional<LogPlace> housekeeping_;  // the node's own command in the log
  HousePace pace_;
  SteadyTime announced_until_;  // an announcement is under way
  SteadyTime next_tick_;
  SteadyTime next_announce_;
  SteadyTime next_publish_;
};

}  // namespace parley::node
