// Nemesis: draws what breaks, when and for how long, from the faults that the scenario has on, and undoes
// each deed after its time. Owned by: the run. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sim/node.h"
#include "sim/options.h"
#include "sim/random.h"

namespace parley::sim {

class Nemesis {
 public:
  Nemesis(World& world, Rng rng, std::vector<std::unique_ptr<Node>>& nodes);

  void start();
  // No new deeds, and none is undone any more: the run heals.
  void stop() { stopped_ = true; }

 private:
  using Deed = void (Nemesis::*)(Fault);
  struct Choice {
    Fault fault;
    Deed deed;
  };

  void add(Fault fault, Deed deed);
  void act();
  // Undoes something after a drawn time, unless the run heals before.
  void later(Scheduler::Action undo);

  void crash_one(Fault fault);
  void crash_leader(Fault fault);
  void crash_many(Fault fault);
  void crash_all(Fault fault);
  void crash_at_point(Fault fault);
  void crash_in_compaction(Fault fault);
  void crash_in_restart(Fault fault);
  void freeze(Fault fault);
  void clog(Fault fault);
  void partition(Fault fault);
  void leader_one_way(Fault fault);
  void stall_disk(Fault fault);
  void stall_apply(Fault fault);
  void clock_speed(Fault fault);
  void clock_jump(Fault fault);
  void duel(Fault fault);
  void transfer(Fault fault);
  void step_down(Fault fault);
  void forbid_campaign(Fault fault);
  void reconfigure(Fault fault);
  void compact(Fault fault);

  void crash(Node& node);
  void restart_later(Node& node);
  // Cuts what `allowed` does not allow, in the directions asked about, until it heals.
  void cut_unless(const std::function<bool(raft::NodeId from, raft::NodeId to)>& allowed);
  [[nodiscard]] Node* leader();
  [[nodiscard]] Node& any();
  [[nodiscard]] std::vector<std::size_t> shuffled();
  void count(Fault fault);

  World& world_;
  Rng rng_;
  std::vector<std::unique_ptr<Node>>& nodes_;
  std::vector<Choice> choices_;
  std::uint64_t partitions_ = 0;
  bool stopped_ = false;
};

}  // namespace parley::sim
