// Node: drives one core through many lives, as src/node drives the real one: ticks, messages, the durability
// order, apply, state commits, forwarding, reads. Disk and state outlive a crash as far as they were
// committed. Owned by: the run. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "raft/core.h"
#include "raft/fitness.h"
#include "raft/ranked_campaign.h"
#include "sim/checkers.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "sim/options.h"
#include "sim/scheduler.h"
#include "sim/state_machine.h"
#include "sim/trace.h"

namespace parley::sim {

// What all parts of a run share. Owned by: the run.
struct World {
  const Options& options;
  const Scenario& scenario;
  Scheduler& scheduler;
  Trace& trace;
  FaultCounters& faults;
  Checkers& checkers;
  Network& network;
  const raft::Founding& founding;
  std::function<void(raft::Member)> crashed;  // this member's process has ended
  // A running node's state at or after this index, to make a snapshot of: nullptr if there is none.
  std::function<const StateMachine*(raft::NodeId from)> state_of;
};

struct ReadAnswer {
  Outcome outcome = Outcome::unknown;
  raft::Index observed;  // done: how much of the log the state had seen
  std::uint64_t state_hash = 0;
};

class Node {
 public:
  using WriteReply = std::move_only_function<void(const Answer&)>;
  using ReadReply = std::move_only_function<void(const ReadAnswer&)>;

  // `founded`: it stores entry 1 by itself; else it waits to be taken in.
  Node(World& world, raft::Member member, bool founded, Rng rng);

  void start();
  void crash();
  // Like SIGSTOP: nothing is handled until then; the disk goes on with what it was given.
  void freeze(Time until);
  void thaw();
  // The process dies when it next comes to this point.
  void arm(Fault point) { armed_ = point; }
  void disarm() { armed_.reset(); }

  void set_tick(Duration tick) { tick_ = tick; }
  // The clock jumps ahead: so many ticks at once.
  void jump(unsigned ticks);

  void receive(const Packet& packet);
  // The connection to this peer closed and a reconnect failed (design.md, rule 10).
  void connection_closed(raft::Member peer);
  // No reply comes if the process dies first.
  void write(const Request& request, WriteReply reply);
  void read(ReadReply reply);

  // These do nothing on a node that does not run.
  void transfer_leadership(raft::Member target);
  void step_down();
  void may_campaign(bool allowed);
  // Its state cannot be written: nothing is applied until it can.
  void can_apply(bool can);
  void propose_configuration(const raft::Configuration& next);
  void compact(raft::Index upto);

  [[nodiscard]] bool runs() const { return core_.has_value(); }
  // Where it stands, for whoever reads a trace of what went wrong.
  [[nodiscard]] std::string report() const;
  [[nodiscard]] bool is_frozen() const { return frozen_; }
  [[nodiscard]] bool leads() const { return core_ && core_->role() == raft::Role::leader; }
  // These want a node that runs.
  [[nodiscard]] raft::Status status() const { return core_->status(); }
  [[nodiscard]] raft::Term term() const { return core_->term(); }
  [[nodiscard]] const raft::Configuration& configuration() const { return core_->configuration(); }
  [[nodiscard]] raft::Member member() const { return member_; }
  [[nodiscard]] raft::NodeId id() const { return member_.id; }
  [[nodiscard]] SimDisk& disk() { return disk_; }
  void stall_disk(Duration span) { disk_.stall(world_.scheduler.now() + span); }
  [[nodiscard]] const SimDisk& disk() const { return disk_; }
  [[nodiscard]] const StateMachine& state() const { return state_; }

 private:
  struct WaitingWrite {
    std::uint64_t request_id = 0;
    WriteReply reply;
  };
  struct WaitingRead {
    std::optional<raft::Index> index;  // once the barrier is known
    ReadReply reply;
  };
  struct Snapshot {  // a state file that is synced, and not yet the live one
    raft::CompactionPoint point;
    StateMachine state;
    StateMachine state_before;
  };
  using Action = Scheduler::Action;

  // What a plant does to a message.
  void spoil(raft::Message& message) const;
  // Runs it in this life only; while frozen it waits.
  void input(Action action);
  void schedule(Duration delay, Action action);
  void attach_disk();
  void schedule_tick();
  void tick();
  void found_later();
  void await_campaign_turn();
  void await_turn();
  void take_turn();
  // Carries out what the core says, in the order of durability.
  void drive();
  [[nodiscard]] bool dies_at(Fault point);
  [[nodiscard]] bool send(const raft::Output& output);
  void fetch(const raft::FetchRequest& request);
  void answer_reads(const raft::Output& output);
  void schedule_apply();
  void apply_some();
  [[nodiscard]] bool apply_one(const raft::Entry& entry);
  void schedule_state_commit();
  void commit_state();
  void finish_reads();
  void forward(const Request& request, WriteReply reply, raft::NodeId leader);
  void take_forwarded(const Packet& packet, const ForwardRequest& forward);
  void give_up_writes();
  void fetch_snapshot(const raft::SnapshotWanted& wanted);
  void install_snapshot(const StateMachine& source, const raft::CompactionPoint& point);
  void switch_to_snapshot();
  void note(std::string_view line);

  World& world_;
  raft::Member member_;
  bool founded_;
  Rng rng_;
  SimDisk disk_;
  StateMachine state_;
  raft::Index state_committed_;  // what the state's own disk has

  std::optional<Snapshot> snapshot_;

  // of this life
  std::uint64_t life_ = 0;
  std::optional<raft::Core> core_;
  std::optional<raft::RankedCampaign> ranked_campaign_;
  raft::Fitness fitness_;
  bool frozen_ = false;
  std::uint64_t freezes_ = 0;
  std::vector<Action> backlog_;
  std::optional<Fault> armed_;
  Duration tick_;
  std::deque<raft::Entry> to_apply_;
  std::size_t to_apply_bytes_ = 0;
  bool turn_scheduled_ = false;
  bool apply_scheduled_ = false;
  bool state_commit_scheduled_ = false;
  bool fetches_snapshot_ = false;
  bool can_apply_ = true;
  std::map<raft::Index, WaitingWrite> writes_;
  std::map<std::uint64_t, WaitingRead> reads_;
  std::map<std::uint64_t, WriteReply> forwards_;
  std::uint64_t next_id_ = 0;
  raft::Role role_ = raft::Role::follower;
  raft::Term term_;
};

}  // namespace parley::sim
