// RaftLog: the OrderedLog that Parley runs on: a raft::Core, its disk and its peers. Passive: told what
// happened, it tells its world what to do; take_output() is the one place where the order of durability can
// be read. Owned by: the core loop. Core thread alone.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "node/cluster_clock.h"
#include "node/ordered_log.h"
#include "raft/core.h"
#include "raft/fitness.h"
#include "raft/ranked_campaign.h"

namespace parley::node {

// What the log does to the world. None of it blocks.
class RaftWorld {
 public:
  virtual ~RaftWorld() = default;
  virtual void send(raft::Message message) = 0;
  // To the disk thread, in order. False: its queue is full, offer it again.
  [[nodiscard]] virtual bool store(raft::StorageBatch& batch) = 0;
  [[nodiscard]] virtual bool fetch(raft::FetchRequest& request) = 0;
};

class RaftLog final : public OrderedLog {
 public:
  // `tick`: the real time of one of the core's ticks.
  RaftLog(raft::Core core, std::chrono::milliseconds tick, RaftWorld& world);

  // OrderedLog
  [[nodiscard]] std::expected<LogPlace, ProposeRefusal> propose(base::Payload entry) override;
  void barrier(std::uint64_t barrier_id) override;
  void applied(base::Position position) override;
  void may_lead(bool allowed) override;
  [[nodiscard]] LogStatus status() const override;

  // What happened
  void found(const raft::Founding& founding);
  void step(const raft::Message& message);
  void tick();
  // Hands over or steps down, if this node leads and must not; with every tick, and after may_lead().
  void decide_leading() { fitness_.decide(core_); }
  void persisted(std::uint64_t batch_number);
  void fetched(const raft::FetchRequest& request, std::vector<raft::Entry> entries);
  // The connection to this peer is known to be dead (rule 10).
  void connection_lost(const raft::Member& peer, SteadyTime now);

  // Entries are about to be proposed: they take the commit index to the followers.
  void more_is_coming(bool is_coming) { core_.commit_news_may_wait(is_coming); }

  // Where nobody else could lead, nobody need be waited for.
  void campaign_if_alone();

  // A leader's entries that are not committed yet, or any node's that are not on its disk yet.
  [[nodiscard]] bool has_batch_under_way() const;

  // Everything that came of it: to the world, and to the rest of the node.
  [[nodiscard]] LogOutput take_output(SteadyTime now);
  // When it wants tick() or take_output() though nothing happened; nothing: with the next tick.
  [[nodiscard]] std::optional<SteadyTime> next_wakeup() const;

  [[nodiscard]] const raft::Core& core() const { return core_; }
  // Why this node does not lead now, for people; empty: it may.
  [[nodiscard]] std::string_view why_not_leading() const { return fitness_.why_not(); }

 private:
  void offer_batches();
  void offer_fetches();

  raft::Core core_;
  RaftWorld& world_;
  std::deque<raft::StorageBatch> unoffered_batches_;
  std::deque<raft::FetchRequest> unoffered_fetches_;
  raft::Fitness fitness_;
  raft::RankedCampaign ranked_campaign_;  // after the leader's connection was lost
};

}  // namespace parley::node
