#include "sim/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raft/describe.h"
#include "sim/client.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/node.h"

namespace parley::sim {
namespace {

// Generous: an election takes a few hundred milliseconds, and may have to be tried again.
constexpr Duration kCoreMustWriteWithin{20'000'000};
constexpr Duration kAllMustAgreeWithin{20'000'000};

raft::Member member_of(std::size_t number) {
  return raft::Member{raft::NodeId(static_cast<std::uint32_t>(number)), raft::Incarnation(1)};
}

raft::Founding make_founding(std::size_t voters) {
  raft::Founding founding;
  for (std::size_t i = 1; i <= voters; ++i) {
    founding.configuration.voters.push_back(member_of(i));
  }
  founding.cluster_id.bytes[0] = 1;
  founding.state_seed = std::string(32, 's');
  return founding;
}

// A quiet cluster on one network, as on one machine.
Scenario calm_scenario() {
  Scenario scenario;
  scenario.network.delay_min = Duration(50);
  scenario.network.delay_max = Duration(500);
  scenario.disk.sync_max = Duration(500);
  scenario.tells_of_crashes = true;
  return scenario;
}

class Simulation {
 public:
  Simulation(const Options& options, const Scenario& scenario);
  RunResult run();
  // `harm` makes the leader unable to lead, among writes.
  Failover replace_the_leader(const std::function<void(Node& leader)>& harm);
  bool leader_survives_starved_follower(Duration starved);
  bool last_follower_takes_over();
  std::optional<Duration> leader_among_the_ill_stays();

 private:
  [[nodiscard]] Node& node(raft::NodeId id) { return *nodes_.at(id.value() - 1); }
  [[nodiscard]] Node* leader_that_commits() const;
  // All start, and one leads.
  Node* settle();
  // Runs events until `done`; false if `deadline` or a violation comes first.
  bool run_until(const std::function<bool()>& done, Time deadline);
  void safety_phase();
  void core_phase();
  void healed_phase();
  void tell_of_crash(raft::Member member);
  void keep_out(Node& node);
  void bring_back(Node& node) const;
  [[nodiscard]] bool all_agree() const;
  [[nodiscard]] bool is_member(raft::Member member) const;

  Options options_;
  Rng rng_;
  Scenario scenario_;
  Scheduler scheduler_;
  Trace trace_;
  FaultCounters faults_;
  Checkers checkers_;
  raft::Founding founding_;
  Network network_;
  World world_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<Clients> clients_;
};

Simulation::Simulation(const Options& options, const Scenario& scenario)
    : options_(options),
      rng_(options.seed),
      scenario_(scenario),
      trace_(options.prints_trace),
      checkers_(options_, scenario_.flow),
      founding_(make_founding(options.voters)),
      network_(scheduler_, trace_, faults_, scenario_.network, rng_.fork(), options.voters + scenario_.spares,
               [this](const Packet& packet) { node(packet.to).receive(packet); }),
      world_{.options = options_,
             .scenario = scenario_,
             .scheduler = scheduler_,
             .trace = trace_,
             .faults = faults_,
             .checkers = checkers_,
             .network = network_,
             .founding = founding_,
             .crashed = [this](raft::Member member) { tell_of_crash(member); },
             .state_of =
                 [this](raft::NodeId from) {
                   const Node& source = node(from);
                   return source.runs() ? &source.state() : nullptr;
                 }} {
  for (std::size_t i = 1; i <= options.voters + scenario_.spares; ++i) {
    nodes_.push_back(std::make_unique<Node>(world_, member_of(i), i <= options.voters, rng_.fork()));
  }
  std::vector<raft::NodeId> ids;
  for (const auto& each : nodes_) {
    ids.push_back(each->id());
  }
  nemesis_ = std::make_unique<Nemesis>(world_, rng_.fork(), nodes_);
  clients_ = std::make_unique<Clients>(world_, scenario_.clients, rng_.fork(), ids,
                                       [this](raft::NodeId id) -> Node& { return node(id); });
}

void Simulation::tell_of_crash(raft::Member member) {
  if (!scenario_.tells_of_crashes) {
    return;
  }
  // A connection closes after what it carried.
  const Duration wait = scenario_.network.delay_max;
  for (const auto& each : nodes_) {
    if (each->id() != member.id && !network_.is_cut(member.id, each->id())) {
      scheduler_.after(wait + rng_.between(Duration(0), scenario_.crash_news_spread),
                       [&peer = *each, member] { peer.connection_closed(member); });
    }
  }
}

RunResult Simulation::run() {
  for (const auto& each : nodes_) {
    each->start();
  }
  nemesis_->start();
  clients_->start();
  safety_phase();
  if (!checkers_.violation()) {
    core_phase();
  }
  if (!checkers_.violation()) {
    healed_phase();
  }
  if (checkers_.violation()) {
    for (const auto& each : nodes_) {
      trace_.note(scheduler_.now(), each->report());
    }
    trace_.note(scheduler_.now(), fmt::format("VIOLATION of {}: {}", name(checkers_.violation()->check),
                                              checkers_.violation()->what));
  }
  return RunResult{.violation = checkers_.violation(),
                   .trace_hash = trace_.hash(),
                   .faults = faults_,
                   .events = scheduler_.events_run(),
                   .elections = checkers_.elections(),
                   .committed = checkers_.committed().value(),
                   .writes = clients_->writes_done(),
                   .reads = clients_->reads_done(),
                   .virtual_time = scheduler_.now()};
}

bool Simulation::run_until(const std::function<bool()>& done, Time deadline) {
  while (!checkers_.violation() && scheduler_.now() <= deadline) {
    if (done()) {
      return true;
    }
    if (!scheduler_.run_next()) {
      return done();
    }
  }
  return false;
}

Node* Simulation::leader_that_commits() const {
  for (const auto& each : nodes_) {
    if (each->leads() && each->status().term_has_commit && each->status().lease_holds) {
      return each.get();
    }
  }
  return nullptr;
}

Node* Simulation::settle() {
  for (const auto& each : nodes_) {
    each->start();
  }
  run_until([&] { return leader_that_commits() != nullptr; }, kAllMustAgreeWithin);
  run_until([] { return false; }, scheduler_.now() + Duration(rng_.between(500'000, 1'000'000)));
  return leader_that_commits();
}

Failover Simulation::replace_the_leader(const std::function<void(Node& leader)>& harm) {
  Node* old = settle();
  if (old == nullptr) {
    return {};
  }
  // Writes under way, so that not all logs are equally long.
  clients_->start();
  run_until([] { return false; }, scheduler_.now() + Duration(rng_.between(100'000, 120'000)));
  const std::uint64_t term = old->term().value();
  const Time harmed = scheduler_.now();
  harm(*old);
  const auto has_new_leader = [&] {
    const Node* leader = leader_that_commits();
    return leader != nullptr && leader != old;
  };
  if (!run_until(has_new_leader, harmed + kCoreMustWriteWithin)) {
    return {};
  }
  return {.has_new_leader = true,
          .terms = leader_that_commits()->term().value() - term,
          .gap = scheduler_.now() - harmed};
}

bool Simulation::leader_survives_starved_follower(Duration starved) {
  Node* leader = settle();
  if (leader == nullptr) {
    return false;
  }
  const raft::Term term = leader->term();
  for (const auto& each : nodes_) {
    if (each.get() != leader) {
      each->freeze(scheduler_.now() + starved);
      break;
    }
  }
  run_until([] { return false; }, scheduler_.now() + starved * 3);
  return leader->leads() && leader->term() == term;
}

bool Simulation::last_follower_takes_over() {
  Node* const leader = settle();
  if (leader == nullptr) {
    return false;
  }
  std::vector<Node*> followers;
  for (const auto& each : nodes_) {
    if (each.get() != leader) {
      followers.push_back(each.get());
    }
  }
  followers[0]->crash();
  clients_->start();
  run_until([] { return false; }, scheduler_.now() + Duration(4'000'000));
  followers[0]->start();
  followers[1]->crash();
  leader->can_apply(false);
  return run_until([&] { return leader_that_commits() == followers[0]; },
                   scheduler_.now() + kCoreMustWriteWithin);
}

std::optional<Duration> Simulation::leader_among_the_ill_stays() {
  Node* const leader = settle();
  if (leader == nullptr) {
    return std::nullopt;
  }
  clients_->start();
  run_until([] { return false; }, scheduler_.now() + Duration(100'000));
  bool is_first = true;
  for (const auto& each : nodes_) {
    if (each.get() == leader) {
      continue;
    }
    if (std::exchange(is_first, false)) {
      each->can_apply(false);
    } else {
      each->stall_disk(Duration(3'000'000));
    }
  }
  run_until([] { return false; }, scheduler_.now() + Duration(50'000));
  const Time since = scheduler_.now();
  leader->can_apply(false);
  if (!run_until([&] { return !leader->leads(); }, since + kCoreMustWriteWithin)) {
    return std::nullopt;
  }
  return scheduler_.now() - since;
}

void Simulation::safety_phase() {
  while (scheduler_.events_run() < options_.steps && !checkers_.violation() && scheduler_.run_next()) {
  }
}

void Simulation::bring_back(Node& each) const {
  each.disarm();
  each.set_tick(scenario_.tick);
  each.disk().become_quick();
  each.thaw();
  if (!each.runs()) {
    each.start();
  }
  each.can_apply(true);
  each.may_campaign(true);
}

// A node outside the healthy core: dead, hanging, or speaking or hearing only.
void Simulation::keep_out(Node& each) {
  switch (rng_.below(4)) {
    case 0:
      each.crash();
      return;
    case 1:
      each.freeze(scheduler_.now() + kCoreMustWriteWithin * 2);
      return;
    default:
      break;
  }
  const bool speaks = rng_.coin();
  const bool hears = !speaks && rng_.coin();
  for (const auto& other : nodes_) {
    if (other->id() != each.id()) {
      if (!speaks) {
        network_.cut(each.id(), other->id());
      }
      if (!hears) {
        network_.cut(other->id(), each.id());
      }
    }
  }
}

// A majority is well; the others are as bad as can be. With changes of membership on, who is a majority is
// not known here, and all are well.
void Simulation::core_phase() {
  trace_.note(scheduler_.now(), "== a healthy core");
  nemesis_->stop();
  network_.mend_all();
  network_.become_reliable();
  std::vector<std::size_t> order(nodes_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  rng_.shuffle(order);
  const std::size_t core_size = scenario_.reconfigures ? nodes_.size() : options_.voters / 2 + 1;
  std::vector<raft::NodeId> core;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Node& each = *nodes_[order[i]];
    if (i < core_size) {
      bring_back(each);
      core.push_back(each.id());
    } else {
      each.disarm();
      keep_out(each);
    }
  }
  clients_->become_patient(core);
  const Time deadline = scheduler_.now() + kCoreMustWriteWithin;
  if (!run_until([&] { return clients_->patient_writes_done() > 0; }, deadline)) {
    checkers_.report(Check::liveness, "a healthy majority acknowledged no new write in time");
  }
}

bool Simulation::is_member(raft::Member member) const {
  for (const auto& each : nodes_) {
    if (each->leads()) {
      const raft::Configuration configuration = each->status().configuration;
      const auto in = [&](const std::vector<raft::Member>& list) {
        return std::find(list.begin(), list.end(), member) != list.end();
      };
      if (in(configuration.voters) || in(configuration.learners)) {
        return true;
      }
    }
  }
  return false;
}

bool Simulation::all_agree() const {
  for (const auto& each : nodes_) {
    if (is_member(each->member()) && (!each->runs() || each->state().applied() != checkers_.committed() ||
                                      each->status().last != checkers_.committed())) {
      return false;
    }
  }
  return true;
}

void Simulation::healed_phase() {
  trace_.note(scheduler_.now(), "== healed");
  network_.mend_all();
  std::vector<raft::NodeId> ids;
  for (const auto& each : nodes_) {
    bring_back(*each);
    ids.push_back(each->id());
  }
  clients_->become_patient(ids);
  const std::uint64_t before = clients_->patient_writes_done();
  Time deadline = scheduler_.now() + kAllMustAgreeWithin;
  if (!run_until([&] { return clients_->patient_writes_done() > before; }, deadline)) {
    checkers_.report(Check::liveness, "a healed cluster acknowledged no new write in time");
  }
  clients_->stop();
  deadline = scheduler_.now() + kAllMustAgreeWithin;
  if (!run_until([&] { return all_agree(); }, deadline)) {
    std::string states;
    for (const auto& each : nodes_) {
      states += fmt::format(" n{}: applied {}, {}", each->id().value(), each->state().applied().value(),
                            each->runs() ? describe(each->status()) : "down");
    }
    checkers_.report(Check::liveness, fmt::format("a healed cluster does not agree on {} entries in time:{}",
                                                  checkers_.committed().value(), states));
  }
}

}  // namespace

RunResult run(const Options& options) { return Simulation(options, make_scenario(options)).run(); }

Failover kill_the_leader(std::uint64_t seed, std::size_t voters, FailoverConditions conditions) {
  Scenario scenario = calm_scenario();
  scenario.crash_news_spread = conditions.news_spread;
  scenario.disk.sync_min = conditions.sync_min;
  scenario.disk.sync_max = conditions.sync_max;
  return Simulation(Options{.seed = seed, .voters = voters}, scenario).replace_the_leader([](Node& leader) {
    leader.crash();
  });
}

Failover make_leader_ill(std::uint64_t seed, std::size_t voters, Illness illness) {
  return Simulation(Options{.seed = seed, .voters = voters}, calm_scenario())
      .replace_the_leader([illness](Node& leader) {
        if (illness == Illness::disk_hangs) {
          leader.stall_disk(Duration(3'000'000));
        } else {
          leader.can_apply(false);
        }
      });
}

bool last_follower_takes_over(std::uint64_t seed) {
  Scenario scenario = calm_scenario();
  // It takes some election timeouts to bring it up.
  scenario.disk.sync_min = Duration(15'000);
  scenario.disk.sync_max = Duration(30'000);
  scenario.flow.max_append_entries = 2;
  scenario.flow.max_inflight_appends = 2;
  return Simulation(Options{.seed = seed, .voters = 3}, scenario).last_follower_takes_over();
}

std::optional<Duration> leader_among_the_ill_stays(std::uint64_t seed) {
  return Simulation(Options{.seed = seed, .voters = 3}, calm_scenario()).leader_among_the_ill_stays();
}

bool leader_survives_starved_follower(std::uint64_t seed, std::size_t voters, Duration starved) {
  return Simulation(Options{.seed = seed, .voters = voters}, calm_scenario())
      .leader_survives_starved_follower(starved);
}

}  // namespace parley::sim
