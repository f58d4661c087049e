#include "sim/nemesis.h"

#include <algorithm>
#include <array>
#include <utility>

#include "raft/describe.h"
#include "raft/membership.h"

namespace parley::sim {
namespace {

constexpr std::array kCrashPoints = {
    Fault::crash_before_send,          Fault::crash_after_send,          Fault::crash_before_reply,
    Fault::crash_after_reply,          Fault::crash_before_store_vote,   Fault::crash_after_store_vote,
    Fault::crash_before_store_entries, Fault::crash_after_store_entries, Fault::crash_at_commit,
    Fault::crash_before_apply,         Fault::crash_after_apply,         Fault::crash_before_state_commit,
    Fault::crash_after_state_commit,
};

constexpr std::array kCompactionPoints = {Fault::crash_before_compaction, Fault::crash_after_compaction,
                                          Fault::crash_before_install};

constexpr std::array kPartitions = {
    Fault::partition_by_size, Fault::partition_uniform, Fault::partition_one_alone,
    Fault::partition_one_way, Fault::partition_bridge,  Fault::partition_two_leaves,
};

}  // namespace

Nemesis::Nemesis(World& world, Rng rng, std::vector<std::unique_ptr<Node>>& nodes)
    : world_(world), rng_(rng), nodes_(nodes) {
  add(Fault::crash, &Nemesis::crash_one);
  add(Fault::crash_of_leader, &Nemesis::crash_leader);
  add(Fault::crash_of_many, &Nemesis::crash_many);
  add(Fault::crash_of_all, &Nemesis::crash_all);
  add(Fault::crash_in_restart, &Nemesis::crash_in_restart);
  for (const Fault point : kCrashPoints) {
    add(point, &Nemesis::crash_at_point);
  }
  for (const Fault point : kCompactionPoints) {
    add(point, &Nemesis::crash_in_compaction);
  }
  for (const Fault kind : kPartitions) {
    add(kind, &Nemesis::partition);
  }
  add(Fault::freeze, &Nemesis::freeze);
  add(Fault::link_clogged, &Nemesis::clog);
  add(Fault::leader_only_sends, &Nemesis::leader_one_way);
  add(Fault::leader_only_receives, &Nemesis::leader_one_way);
  add(Fault::disk_stall, &Nemesis::stall_disk);
  add(Fault::state_unwritable, &Nemesis::stall_apply);
  add(Fault::clock_slow, &Nemesis::clock_speed);
  add(Fault::clock_fast, &Nemesis::clock_speed);
  add(Fault::clock_jump, &Nemesis::clock_jump);
  add(Fault::duel_of_candidates, &Nemesis::duel);
  add(Fault::transfer_of_leadership, &Nemesis::transfer);
  add(Fault::leader_steps_down, &Nemesis::step_down);
  add(Fault::campaign_forbidden, &Nemesis::forbid_campaign);
  if (world_.scenario.reconfigures) {
    add(Fault::reconfiguration, &Nemesis::reconfigure);
    add(Fault::reconfiguration, &Nemesis::reconfigure);
  }
  if (world_.scenario.compacts) {
    choices_.push_back({Fault::snapshot_installed, &Nemesis::compact});
    choices_.push_back({Fault::snapshot_installed, &Nemesis::compact});
  }
}

void Nemesis::add(Fault fault, Deed deed) {
  if (world_.scenario.has(fault)) {
    choices_.push_back({fault, deed});
  }
}

void Nemesis::start() {
  world_.scheduler.after(rng_.between(Duration(0), world_.scenario.nemesis_pause_max), [this] {
    if (!stopped_) {
      act();
      start();
    }
  });
}

void Nemesis::act() {
  if (!choices_.empty()) {
    const Choice choice = rng_.pick(choices_);
    (this->*choice.deed)(choice.fault);
  }
}

void Nemesis::later(Scheduler::Action undo) {
  const Duration span = rng_.between(Duration(1'000), world_.scenario.trouble_max);
  world_.scheduler.after(span, [this, undo = std::move(undo)]() mutable {
    if (!stopped_) {
      undo();
    }
  });
}

void Nemesis::count(Fault fault) {
  world_.faults.count(fault);
  world_.trace.note(world_.scheduler.now(), fmt::format("-- {}", name(fault)));
}

Node* Nemesis::leader() {
  Node* found = nullptr;
  for (const auto& node : nodes_) {
    if (node->leads() && (found == nullptr || node->term() > found->term())) {
      found = node.get();
    }
  }
  return found;
}

Node& Nemesis::any() { return *rng_.pick(nodes_); }

std::vector<std::size_t> Nemesis::shuffled() {
  std::vector<std::size_t> order(nodes_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  rng_.shuffle(order);
  return order;
}

void Nemesis::crash(Node& node) {
  if (node.runs()) {
    node.crash();
  }
}

void Nemesis::restart_later(Node& node) {
  later([&node] {
    if (!node.runs()) {
      node.start();
    }
  });
}

void Nemesis::crash_one(Fault fault) {
  Node& node = any();
  if (node.runs()) {
    count(fault);
    crash(node);
  }
  restart_later(node);
}

void Nemesis::crash_leader(Fault fault) {
  if (Node* node = leader()) {
    count(fault);
    crash(*node);
    restart_later(*node);
  }
}

void Nemesis::crash_many(Fault fault) {
  const std::uint64_t wanted = rng_.between(2, nodes_.size());
  const std::vector<std::size_t> order = shuffled();
  count(fault);
  for (std::size_t i = 0; i < wanted; ++i) {
    crash(*nodes_[order[i]]);
    restart_later(*nodes_[order[i]]);
  }
}

void Nemesis::crash_all(Fault fault) {
  count(fault);
  for (const auto& node : nodes_) {
    crash(*node);
    restart_later(*node);
  }
}

// It counts when it is reached (Node::dies_at).
void Nemesis::crash_at_point(Fault fault) {
  Node* at = rng_.coin() ? leader() : nullptr;
  Node& node = at != nullptr ? *at : any();
  if (node.runs()) {
    node.arm(fault);
  }
  later([&node] {
    node.disarm();
    if (!node.runs()) {
      node.start();
    }
  });
}

// Compacts as well, or the point would hardly be reached: the leader's log, for who lags to need a snapshot.
void Nemesis::crash_in_compaction(Fault fault) {
  Node* at = leader();
  Node& compacted = at != nullptr ? *at : any();
  Node* dies = &compacted;
  if (fault == Fault::crash_before_install) {
    for (const auto& node : nodes_) {
      if (node->state().applied() < dies->state().applied()) {
        dies = node.get();
      }
    }
  }
  dies->arm(fault);
  if (compacted.runs()) {
    compacted.compact(compacted.state().applied());
  }
  later([dies] {
    dies->disarm();
    if (!dies->runs()) {
      dies->start();
    }
  });
}

void Nemesis::crash_in_restart(Fault fault) {
  Node& node = any();
  crash(node);
  later([this, &node, fault] {
    if (!node.runs()) {
      node.arm(fault);
      node.start();
      node.disarm();
    }
    restart_later(node);
  });
}

void Nemesis::freeze(Fault fault) {
  Node* at = rng_.coin() ? leader() : nullptr;
  Node& node = at != nullptr ? *at : any();
  if (node.runs() && !node.is_frozen()) {
    count(fault);
    node.freeze(world_.scheduler.now() + rng_.between(Duration(1'000), world_.scenario.trouble_max));
  }
}

void Nemesis::clog(Fault fault) {
  const std::vector<std::size_t> order = shuffled();
  count(fault);
  world_.network.clog(nodes_[order[0]]->id(), nodes_[order[1]]->id(),
                      world_.scheduler.now() + rng_.between(Duration(1'000), world_.scenario.trouble_max));
}

void Nemesis::cut_unless(const std::function<bool(raft::NodeId from, raft::NodeId to)>& allowed) {
  world_.network.mend_all();
  for (const auto& from : nodes_) {
    for (const auto& to : nodes_) {
      if (from->id() != to->id() && !allowed(from->id(), to->id())) {
        world_.network.cut(from->id(), to->id());
      }
    }
  }
  const std::uint64_t number = ++partitions_;
  later([this, number] {
    if (number == partitions_) {
      world_.trace.note(world_.scheduler.now(), "-- links are whole again");
      world_.network.mend_all();
    }
  });
}

void Nemesis::partition(Fault fault) {
  const std::vector<std::size_t> order = shuffled();
  std::vector<std::size_t> place(nodes_.size());  // of each node in the shuffled order
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
  }
  const auto at = [&](raft::NodeId id) { return place[id.value() - 1]; };
  const std::size_t size = rng_.between(1, nodes_.size() - 1);
  const std::size_t half = nodes_.size() / 2;
  const std::uint64_t sides = rng_.next();
  const auto side = [&](raft::NodeId id) { return ((sides >> at(id)) & 1U) != 0; };
  count(fault);
  switch (fault) {
    case Fault::partition_uniform:
      return cut_unless([&](auto from, auto to) { return side(from) == side(to); });
    case Fault::partition_one_alone:
      return cut_unless([&](auto from, auto to) { return at(from) != 0 && at(to) != 0; });
    case Fault::partition_one_way:
      return cut_unless([&](auto from, auto to) { return at(from) >= size || at(to) < size; });
    case Fault::partition_bridge:  // the first one is in both halves
      return cut_unless([&](auto from, auto to) {
        return at(from) == 0 || at(to) == 0 || (at(from) <= half) == (at(to) <= half);
      });
    case Fault::partition_two_leaves:  // the first two hang on the third and the fourth alone
      return cut_unless([&](auto from, auto to) {
        const auto [low, high] = std::minmax(at(from), at(to));
        return low >= 2 || high == low + 2;
      });
    default:
      return cut_unless([&](auto from, auto to) { return (at(from) < size) == (at(to) < size); });
  }
}

void Nemesis::leader_one_way(Fault fault) {
  Node* node = leader();
  if (node == nullptr) {
    return;
  }
  count(fault);
  const raft::NodeId id = node->id();
  const bool sends = fault == Fault::leader_only_sends;
  cut_unless([&](auto from, auto to) { return (sends ? to : from) != id; });
}

void Nemesis::stall_disk(Fault fault) {
  Node* at = rng_.coin() ? leader() : nullptr;
  Node& node = at != nullptr ? *at : any();
  count(fault);
  const Duration longest = rng_.chance(10) ? Duration(5'000'000) : world_.scenario.trouble_max;
  node.stall_disk(rng_.between(Duration(1'000), longest));
}

void Nemesis::stall_apply(Fault fault) {
  Node* at = rng_.coin() ? leader() : nullptr;
  Node& node = at != nullptr ? *at : any();
  if (node.runs()) {
    count(fault);
    node.can_apply(false);
    later([&node] { node.can_apply(true); });
  }
}

void Nemesis::clock_speed(Fault fault) {
  Node& node = any();
  count(fault);
  const auto percent =
      static_cast<Duration::rep>(fault == Fault::clock_fast ? rng_.between(30, 90) : rng_.between(110, 400));
  node.set_tick(world_.scenario.tick * percent / 100);
  later([this, &node] { node.set_tick(world_.scenario.tick); });
}

void Nemesis::clock_jump(Fault fault) {
  count(fault);
  any().jump(static_cast<unsigned>(rng_.between(2, 60)));
}

// Two nodes believe at the same moment that the leader is gone.
void Nemesis::duel(Fault fault) {
  count(fault);
  const unsigned ticks = 2 * world_.scenario.timing.election_timeout_ticks;
  const std::vector<std::size_t> order = shuffled();
  nodes_[order[0]]->jump(ticks);
  nodes_[order[1]]->jump(ticks);
}

void Nemesis::transfer(Fault fault) {
  Node* node = leader();
  if (node == nullptr) {
    return;
  }
  const raft::Member target = any().member();
  if (target != node->member()) {
    count(fault);
    node->transfer_leadership(target);
  }
}

void Nemesis::step_down(Fault fault) {
  if (Node* node = leader()) {
    count(fault);
    node->step_down();
    node->may_campaign(false);
    later([node] { node->may_campaign(true); });
  }
}

void Nemesis::forbid_campaign(Fault fault) {
  Node& node = any();
  if (node.runs()) {
    count(fault);
    node.may_campaign(false);
    later([&node] { node.may_campaign(true); });
  }
}

// Any set of voters, the other nodes learners or out. Who holds no entry yet could not vote (rule 1), and is
// no voter before it has some.
void Nemesis::reconfigure(Fault) {
  Node* node = leader();
  if (node == nullptr) {
    return;
  }
  const raft::Configuration& current = node->configuration();
  if (!current.outgoing_voters.empty() && rng_.chance(70)) {
    node->propose_configuration(raft::leave_joint(current));
    return;
  }
  raft::Configuration next;
  next.leaves_joint_by_itself = rng_.chance(70);
  for (const auto& each : nodes_) {
    const std::uint64_t draw = rng_.below(10);
    const bool has_state = !each->disk().durable().last().is_none();
    if (draw < 6 && has_state) {
      next.voters.push_back(each->member());
    } else if (draw < 8) {
      next.learners.push_back(each->member());
    }
  }
  if (!next.voters.empty()) {
    node->propose_configuration(next);
  }
}

void Nemesis::compact(Fault) {
  Node* at = rng_.coin() ? leader() : nullptr;
  Node& node = at != nullptr ? *at : any();
  if (node.runs()) {
    const std::uint64_t applied = node.state().applied().value();
    node.compact(raft::Index(applied - std::min(applied, rng_.below(20))));
  }
}

}  // namespace parley::sim
