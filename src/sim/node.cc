#include "sim/node.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "raft/codec.h"
#include "raft/describe.h"

namespace parley::sim {
namespace {

constexpr std::size_t kMaxWaiting = 1'000;    // writes, forwarded writes and reads of one node
constexpr std::size_t kMaxBacklog = 100'000;  // of a frozen process: what the kernel keeps for it

bool is_reply(const raft::Message& message) {
  return std::holds_alternative<raft::AppendResponse>(message.body) ||
         std::holds_alternative<raft::VoteResponse>(message.body);
}

}  // namespace

Node::Node(World& world, raft::Member member, bool founded, Rng rng)
    : world_(world),
      member_(member),
      founded_(founded),
      rng_(rng),
      disk_(world.scheduler, world.faults, world.scenario.disk, rng_.fork(), world.options.plant),
      tick_(world.scenario.tick) {
  world_.checkers.watch(member_, disk_);
}

void Node::note(std::string_view line) {
  world_.trace.note(world_.scheduler.now(), fmt::format("n{} {}", member_.id.value(), line));
}

std::string Node::report() const {
  if (!core_) {
    return fmt::format("n{} is down", member_.id.value());
  }
  return fmt::format("n{}{} applied {}: {} {}", member_.id.value(), frozen_ ? " (frozen)" : "",
                     state_.applied().value(), raft::describe(core_->status()),
                     raft::describe_progress(*core_));
}

void Node::input(Action action) {
  if (!core_) {
    return;
  }
  if (frozen_) {
    if (backlog_.size() < kMaxBacklog) {
      backlog_.push_back(std::move(action));
    }
    return;
  }
  action();
  if (core_) {
    world_.checkers.stepped(member_, *core_);
    await_turn();
  }
}

// A loop takes everything that has come before it looks at what came of it: between the first of them and
// then, nothing leaves and nothing is stored.
void Node::await_turn() {
  if (world_.scenario.turn_max == Duration(0)) {
    drive();
  } else if (!turn_scheduled_) {
    turn_scheduled_ = true;
    world_.scheduler.after(rng_.between(Duration(0), world_.scenario.turn_max), [this, life = life_] {
      if (life == life_) {
        take_turn();
      }
    });
  }
}

void Node::take_turn() {
  turn_scheduled_ = false;
  if (frozen_) {
    backlog_.emplace_back([] {});  // its turn comes once it runs again
  } else {
    drive();
  }
}

void Node::schedule(Duration delay, Action action) {
  world_.scheduler.after(delay, [this, life = life_, action = std::move(action)]() mutable {
    if (life == life_) {
      input(std::move(action));
    }
  });
}

void Node::start() {
  base::ensure(!core_, "a process is started once");
  ++life_;
  const auto recovered = disk_.recover(state_committed_);
  if (!recovered) {
    world_.checkers.report(Check::recovery, fmt::format("n{}: {}", member_.id.value(), recovered.error()));
    return;
  }
  const raft::RecoveredLog& log = *recovered;
  raft::Config config;
  config.self = member_;
  config.timing = world_.scenario.timing;
  config.flow = world_.scenario.flow;
  config.seed = rng_.next();
  next_id_ = 0;
  state_.roll_back(state_committed_);
  world_.checkers.started(member_, log, state_);
  core_.emplace(config, log, state_.applied());
  fitness_ = {};
  ranked_campaign_.emplace(config.seed,
                           (world_.scenario.tick * config.timing.election_timeout_ticks).count());
  role_ = raft::Role::follower;
  term_ = log.hard_state.term;
  note(fmt::format("starts: t{} last {} compacted {} applied {}", term_.value(), log.last.value(),
                   log.compaction.index.value(), state_.applied().value()));
  attach_disk();
  if (dies_at(Fault::crash_in_restart)) {
    return;
  }
  schedule_tick();
  if (founded_ && log.last.is_none()) {
    found_later();
  }
  input([] {});
}

void Node::crash() {
  if (!core_) {
    return;
  }
  note("crashes");
  world_.checkers.ended(member_);
  ++life_;
  core_.reset();
  disk_.crash();
  if (snapshot_) {
    // Which state file is the live one, the log alone says.
    if (disk_.durable().compaction.index >= snapshot_->point.index) {
      switch_to_snapshot();
    } else {
      state_ = std::move(snapshot_->state_before);
      snapshot_.reset();
    }
  }
  frozen_ = false;
  backlog_.clear();
  armed_.reset();
  to_apply_.clear();
  to_apply_bytes_ = 0;
  turn_scheduled_ = false;
  apply_scheduled_ = false;
  state_commit_scheduled_ = false;
  can_apply_ = true;
  fetches_snapshot_ = false;
  writes_.clear();
  reads_.clear();
  forwards_.clear();
  world_.crashed(member_);
}

void Node::freeze(Time until) {
  if (!core_) {
    return;
  }
  note("freezes");  // if it was frozen already: it stays so until the new time
  frozen_ = true;
  world_.scheduler.at(until, [this, life = life_, freeze = ++freezes_] {
    if (life == life_ && freeze == freezes_) {
      thaw();
    }
  });
}

void Node::thaw() {
  if (!frozen_) {
    return;
  }
  note("thaws");
  frozen_ = false;
  std::vector<Action> backlog = std::move(backlog_);
  backlog_.clear();
  const std::uint64_t life = life_;
  for (Action& action : backlog) {
    if (life == life_) {
      input(std::move(action));
    }
  }
  // A late tick counts once, after all that was received (rule 10).
  if (life == life_) {
    input([this] { tick(); });
  }
}

void Node::attach_disk() {
  disk_.attach(SimDisk::Events{
      .before_store =
          [this](const raft::StorageBatch& batch) {
            if (batch.hard_state && dies_at(Fault::crash_before_store_vote)) {
              return;
            }
            if (!batch.entries.empty()) {
              static_cast<void>(dies_at(Fault::crash_before_store_entries));
            }
          },
      .stored =
          [this](const raft::StorageBatch& batch) {
            if (batch.hard_state && dies_at(Fault::crash_after_store_vote)) {
              return;
            }
            if (!batch.entries.empty() && dies_at(Fault::crash_after_store_entries)) {
              return;
            }
            if (batch.installed) {
              switch_to_snapshot();
            }
            input([this, number = batch.number] {
              fitness_.batch_stored(number);
              core_->persisted(number);
            });
          },
      .compacted =
          [this](const raft::CompactionPoint& point) {
            if (dies_at(Fault::crash_after_compaction)) {
              return;
            }
            input([this, point] { core_->compacted(point); });
          },
  });
}

void Node::schedule_tick() {
  // Not through schedule(): ticks do not pile up while the process is frozen.
  world_.scheduler.after(tick_, [this, life = life_] {
    if (life != life_) {
      return;
    }
    schedule_tick();
    if (!frozen_) {
      input([this] { tick(); });
    }
  });
}

void Node::tick() {
  core_->tick();
  fitness_.tick(*core_);
}

void Node::jump(unsigned ticks) {
  for (unsigned i = 0; i < ticks; ++i) {
    input([this] { tick(); });
  }
}

void Node::found_later() {
  schedule(rng_.between(Duration(0), Duration(100'000)), [this] {
    if (core_->last_index().is_none()) {
      core_->found(world_.founding);
    }
  });
}

bool Node::dies_at(Fault point) {
  if (armed_ != point) {
    return false;
  }
  world_.faults.count(point);
  note(fmt::format("reaches {}", name(point)));
  crash();
  return true;
}

void Node::spoil(raft::Message& message) const {
  if (auto* vote = std::get_if<raft::VoteResponse>(&message.body);
      vote != nullptr && world_.options.plant == Plant::every_vote_counts) {
    vote->granted = true;
  }
  if (auto* append = std::get_if<raft::AppendRequest>(&message.body);
      append != nullptr && world_.options.plant == Plant::altered_entry) {
    for (raft::Entry& entry : append->entries) {
      if (entry.kind == raft::EntryKind::command) {
        entry.data = base::Payload(encode(Request{.request_id = 1, .value = 1}));
      }
    }
  }
}

void Node::receive(const Packet& packet) {
  if (world_.options.plant == Plant::deaf_after_restart && life_ > 1) {
    return;
  }
  if (const auto* message = std::get_if<raft::Message>(&packet.body)) {
    if (message->to != member_) {
      return;  // meant for another life of this id: a connection would not have come about
    }
    input([this, message = *message]() mutable {
      spoil(message);
      core_->step(message);
    });
    return;
  }
  if (const auto* forward = std::get_if<ForwardRequest>(&packet.body)) {
    input([this, packet, forward = *forward] { take_forwarded(packet, forward); });
    return;
  }
  input([this, answer = std::get<ForwardAnswer>(packet.body)] {
    const auto waiting = answer.life == life_ ? forwards_.find(answer.ticket) : forwards_.end();
    if (waiting != forwards_.end()) {
      waiting->second(answer.answer);
      forwards_.erase(waiting);
    }
  });
}

void Node::connection_closed(raft::Member peer) {
  input([this, peer] {
    if (core_->leader() != peer) {
      return;
    }
    core_->forget_leader();
    ranked_campaign_->begin(*core_, peer, world_.scheduler.now().count());
    await_campaign_turn();
  });
}

void Node::await_campaign_turn() {
  const auto due_us = ranked_campaign_->due_us();
  if (!due_us) {
    return;
  }
  schedule(Duration(*due_us) - world_.scheduler.now(), [this, due_us] {
    if (ranked_campaign_->due_us() != due_us) {
      return;  // another connection was lost since
    }
    if (ranked_campaign_->take_turn(*core_, world_.scheduler.now().count())) {
      core_->campaign();
    }
    await_campaign_turn();
  });
}

void Node::drive() {
  const raft::Output output = core_->take_output();
  if (output.store) {
    fitness_.batch_leaves(output.store->number);
    disk_.store(*output.store);
  }
  world_.checkers.gave(member_, output);
  if (output.leadership_changed) {
    if (core_->role() != role_ || core_->term() != term_) {
      role_ = core_->role();
      term_ = core_->term();
      note(describe(core_->status()));
    }
    if (role_ != raft::Role::leader) {
      give_up_writes();
    }
  }
  if (!send(output)) {
    return;
  }
  if (output.store && world_.options.plant == Plant::persisted_early) {
    schedule(Duration(0), [this, number = output.store->number] { core_->persisted(number); });
  }
  if (output.snapshot) {
    fetch_snapshot(*output.snapshot);
  }
  for (const raft::FetchRequest& request : output.fetches) {
    fetch(request);
  }
  if (!output.committed.empty()) {
    if (dies_at(Fault::crash_at_commit)) {
      return;
    }
    for (const raft::Entry& entry : output.committed) {
      to_apply_.push_back(entry);
      to_apply_bytes_ += entry.data.size_bytes();
    }
    world_.checkers.unapplied(member_, to_apply_bytes_, to_apply_.back().data.size_bytes());
    schedule_apply();
  }
  answer_reads(output);
}

// False: it died on the way.
bool Node::send(const raft::Output& output) {
  if (output.messages.empty()) {
    return true;
  }
  const bool replies = std::any_of(output.messages.begin(), output.messages.end(), is_reply);
  if (dies_at(replies ? Fault::crash_before_reply : Fault::crash_before_send)) {
    return false;
  }
  for (const raft::Message& message : output.messages) {
    base::ensure(message.from == member_ && message.to != member_, "a node speaks for itself, to others");
    world_.network.send(Packet{member_.id, message.to.id, message});
  }
  return !dies_at(replies ? Fault::crash_after_reply : Fault::crash_after_send);
}

void Node::fetch(const raft::FetchRequest& request) {
  schedule(rng_.between(Duration(50), Duration(1'000)),
           [this, request] { core_->fetched(request, disk_.read(request.first, request.max_size_bytes)); });
}

void Node::write(const Request& request, WriteReply reply) {
  input([this, request, reply = std::move(reply)]() mutable {
    if (writes_.size() + forwards_.size() >= kMaxWaiting) {
      reply(Answer{Outcome::refused, {}});
      return;
    }
    const auto index = core_->propose(base::Payload(encode(request)));
    if (index) {
      core_->commit_news_may_wait(index->value() % 2 == 0);  // sometimes nothing comes to bring them
      if (world_.options.plant == Plant::ack_before_commit) {
        reply(Answer{Outcome::done, *index});
        return;
      }
      writes_.insert_or_assign(*index, WaitingWrite{request.request_id, std::move(reply)});
      return;
    }
    const auto leader = core_->leader();
    if (index.error() == raft::ProposeError::not_leader && world_.scenario.forwards && leader &&
        *leader != member_) {
      forward(request, std::move(reply), leader->id);
      return;
    }
    reply(Answer{Outcome::refused, {}});
  });
}

void Node::forward(const Request& request, WriteReply reply, raft::NodeId leader) {
  const std::uint64_t ticket = ++next_id_;
  forwards_.emplace(ticket, std::move(reply));
  world_.network.send(Packet{member_.id, leader, ForwardRequest{ticket, life_, request}});
  // Past this the client has long turned elsewhere; its retry finds the result.
  schedule(Duration(2'000'000), [this, ticket] { forwards_.erase(ticket); });
}

void Node::take_forwarded(const Packet& packet, const ForwardRequest& forward) {
  auto reply = [this, to = packet.from, ticket = forward.ticket, life = forward.life](const Answer& answer) {
    world_.network.send(Packet{member_.id, to, ForwardAnswer{ticket, life, answer}});
  };
  const auto index = core_->propose(base::Payload(encode(forward.request)));
  if (!index) {
    reply(Answer{Outcome::refused, {}});
    return;
  }
  writes_.insert_or_assign(*index, WaitingWrite{forward.request.request_id, std::move(reply)});
}

// Not the leader any more: whether these come through is unknown here.
void Node::give_up_writes() {
  for (auto& [index, waiting] : std::exchange(writes_, {})) {
    waiting.reply(Answer{Outcome::unknown, {}});
  }
}

void Node::read(ReadReply reply) {
  input([this, reply = std::move(reply)]() mutable {
    if (reads_.size() >= kMaxWaiting) {
      reply(ReadAnswer{Outcome::refused, {}, 0});
      return;
    }
    if (world_.options.plant == Plant::stale_read) {
      reply(ReadAnswer{Outcome::done, state_.applied(), state_.hash()});
      return;
    }
    const std::uint64_t read_id = ++next_id_;
    reads_.emplace(read_id, WaitingRead{std::nullopt, std::move(reply)});
    core_->read(read_id);
    schedule(Duration(2'000'000), [this, read_id] { reads_.erase(read_id); });
  });
}

void Node::answer_reads(const raft::Output& output) {
  for (const raft::ReadReady& ready : output.reads) {
    const auto waiting = reads_.find(ready.read_id);
    if (waiting == reads_.end()) {
      continue;
    }
    if (!ready.index) {
      waiting->second.reply(ReadAnswer{Outcome::refused, {}, 0});
      reads_.erase(waiting);
      continue;
    }
    waiting->second.index = ready.index;
  }
  finish_reads();
}

void Node::finish_reads() {
  for (auto waiting = reads_.begin(); waiting != reads_.end();) {
    const auto index = waiting->second.index;
    if (!index || *index > state_.applied()) {
      ++waiting;
      continue;
    }
    waiting->second.reply(ReadAnswer{Outcome::done, state_.applied(), state_.hash()});
    waiting = reads_.erase(waiting);
  }
}

void Node::schedule_apply() {
  if (apply_scheduled_ || to_apply_.empty() || !can_apply_) {
    return;
  }
  apply_scheduled_ = true;
  schedule(rng_.between(Duration(20), world_.scenario.apply_max), [this] {
    apply_scheduled_ = false;
    apply_some();
  });
}

void Node::apply_some() {
  if (to_apply_.empty() || !can_apply_) {
    return;
  }
  if (world_.options.plant == Plant::apply_out_of_turn && to_apply_.size() > 1 && rng_.chance(5)) {
    std::swap(to_apply_[0], to_apply_[1]);
  }
  std::uint64_t count = rng_.between(1, to_apply_.size());
  raft::Index applied;
  while (count-- > 0 && !to_apply_.empty()) {
    const raft::Entry entry = to_apply_.front();
    applied = entry.index;
    to_apply_.pop_front();
    to_apply_bytes_ -= entry.data.size_bytes();
    if (!apply_one(entry)) {
      return;
    }
  }
  core_->applied(applied);
  if (world_.options.plant == Plant::endless_queue) {
    to_apply_bytes_ += 1'000;
  }
  schedule_apply();
  schedule_state_commit();
  finish_reads();
}

// False: it died on the way.
bool Node::apply_one(const raft::Entry& entry) {
  if (dies_at(Fault::crash_before_apply)) {
    return false;
  }
  const bool differently = world_.options.plant == Plant::apply_differently && member_.id.value() == 1 &&
                           entry.kind == raft::EntryKind::command;
  const Applied step = state_.apply(entry, differently);
  if (world_.options.plant == Plant::apply_twice && rng_.chance(1)) {
    state_.apply(entry, differently);
  }
  world_.trace.record(world_.scheduler.now(), mix(member_.id.value(), step.state_hash), [&] {
    return fmt::format("n{} applies {}/{}{}", member_.id.value(), entry.index.value(), entry.term.value(),
                       step.request
                           ? fmt::format(" value {}{}", step.request->value, step.took_effect ? "" : " again")
                           : "");
  });
  world_.checkers.applied(member_, entry, state_);
  if (dies_at(Fault::crash_after_apply)) {
    return false;
  }
  const auto waiting = writes_.find(entry.index);
  if (waiting != writes_.end()) {
    const bool is_it = step.request && step.request->request_id == waiting->second.request_id;
    waiting->second.reply(is_it ? Answer{Outcome::done, step.effect_at} : Answer{Outcome::unknown, {}});
    writes_.erase(waiting);
  }
  return true;
}

void Node::schedule_state_commit() {
  if (state_commit_scheduled_ || state_committed_ == state_.applied()) {
    return;
  }
  state_commit_scheduled_ = true;
  schedule(world_.scenario.state_commit_every, [this] {
    state_commit_scheduled_ = false;
    commit_state();
  });
}

void Node::commit_state() {
  if (dies_at(Fault::crash_before_state_commit)) {
    return;
  }
  if (snapshot_) {
    schedule_state_commit();
    return;
  }
  state_committed_ = state_.applied();
  static_cast<void>(dies_at(Fault::crash_after_state_commit));
}

void Node::transfer_leadership(raft::Member target) {
  input([this, target] { core_->transfer_leadership(target); });
}
void Node::step_down() {
  input([this] { core_->step_down(); });
}
void Node::may_campaign(bool allowed) {
  input([this, allowed] { core_->may_campaign(allowed && fitness_.is_fit()); });
}
void Node::can_apply(bool can) {
  input([this, can] {
    can_apply_ = can;
    fitness_.can_apply(can);
    fitness_.decide(*core_);
    schedule_apply();
  });
}
void Node::propose_configuration(const raft::Configuration& next) {
  input([this, next] {
    const auto index = core_->propose_configuration(next);
    note(index ? fmt::format("proposes at {}: {}", index->value(), describe(next))
               : fmt::format("cannot propose {}: {}", describe(next), index.error()));
    if (index) {
      world_.faults.count(Fault::reconfiguration);
    }
  });
}

void Node::compact(raft::Index upto) {
  input([this, upto] {
    // Rule 7: never above what the state's own disk has.
    const raft::Index index = std::min(upto, state_committed_);
    if (snapshot_ || index.is_none()) {
      return;
    }
    const auto term = disk_.durable().term_at(index);
    if (!term || index <= disk_.written().compaction.index || dies_at(Fault::crash_before_compaction)) {
      return;
    }
    note(fmt::format("compacts to {}", index.value()));
    disk_.compact(raft::CompactionPoint{index, *term, core_->configuration_at(index)});
  });
}

// The snapshot travels beside the core.
void Node::fetch_snapshot(const raft::SnapshotWanted& wanted) {
  if (snapshot_ || fetches_snapshot_) {
    return;
  }
  fetches_snapshot_ = true;
  schedule(rng_.between(Duration(500), Duration(30'000)), [this, wanted] {
    fetches_snapshot_ = false;
    const StateMachine* source = world_.state_of(wanted.from.id);
    if (source != nullptr && source->applied() >= wanted.point.index &&
        !world_.network.is_cut(wanted.from.id, member_.id)) {
      install_snapshot(*source, wanted.point);
    }
  });
}

// Rule 8: the new state stands beside the old one until a record in the log switches to it.
void Node::install_snapshot(const StateMachine& source, const raft::CompactionPoint& point) {
  if (dies_at(Fault::crash_before_install) || !core_->install(point)) {
    return;
  }
  note(fmt::format("installs the snapshot at {}", point.index.value()));
  world_.faults.count(Fault::snapshot_installed);
  world_.checkers.installed(member_, point.index);
  snapshot_ = Snapshot{point, source, std::move(state_)};
  snapshot_->state.roll_back(point.index);
  state_ = snapshot_->state;
  while (!to_apply_.empty() && to_apply_.front().index <= point.index) {
    to_apply_bytes_ -= to_apply_.front().data.size_bytes();
    to_apply_.pop_front();
  }
}

// The record is on the disk.
void Node::switch_to_snapshot() {
  state_committed_ = snapshot_->point.index;
  if (!core_) {
    state_ = std::move(snapshot_->state);
  }
  snapshot_.reset();
}

}  // namespace parley::sim
