#include "node/raft_log.h"

#include <utility>

#include "base/ensure.h"

namespace parley::node {
namespace {

std::int64_t to_us(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

RaftLog::RaftLog(raft::Core core, std::chrono::milliseconds tick, RaftWorld& world)
    : core_(std::move(core)),
      world_(world),
      ranked_campaign_(
          core_.config().seed,
          std::chrono::microseconds(tick * core_.config().timing.election_timeout_ticks).count()) {}

std::expected<LogPlace, ProposeRefusal> RaftLog::propose(base::Payload entry) {
  const auto index = core_.propose(std::move(entry));
  if (index) {
    return LogPlace{*index, core_.term()};
  }
  switch (index.error()) {
    case raft::ProposeError::not_leader:
      return std::unexpected(ProposeRefusal::not_leader);
    case raft::ProposeError::overloaded:
      return std::unexpected(ProposeRefusal::overloaded);
    case raft::ProposeError::transferring:
      return std::unexpected(ProposeRefusal::handing_over);
  }
  base::stop_process("a refusal of a kind that is not known");
}

void RaftLog::barrier(std::uint64_t barrier_id) { core_.read(barrier_id); }

void RaftLog::applied(base::Position position) { core_.applied(position); }

void RaftLog::may_lead(bool allowed) { fitness_.can_apply(allowed); }

LogStatus RaftLog::status() const {
  const raft::Role role = core_.role();
  return {.is_leader = role == raft::Role::leader,
          .is_candidate = role == raft::Role::candidate || role == raft::Role::pre_candidate,
          .term = core_.term(),
          .leader = core_.leader(),
          .commit = core_.commit_index(),
          .last = core_.last_index(),
          .stored = core_.stored_index(),
          .can_commit = core_.lease_holds() && core_.term_has_commit()};
}

void RaftLog::found(const raft::Founding& founding) { core_.found(founding); }

void RaftLog::step(const raft::Message& message) { core_.step(message); }

void RaftLog::tick() {
  core_.tick();
  fitness_.tick(core_);
}

void RaftLog::persisted(std::uint64_t batch_number) {
  fitness_.batch_stored(batch_number);
  core_.persisted(batch_number);
}

void RaftLog::fetched(const raft::FetchRequest& request, std::vector<raft::Entry> entries) {
  core_.fetched(request, std::move(entries));
}

void RaftLog::connection_lost(const raft::Member& peer, SteadyTime now) {
  if (core_.leader() != peer) {
    return;
  }
  core_.forget_leader();
  ranked_campaign_.begin(core_, peer, to_us(now));
}

std::optional<SteadyTime> RaftLog::next_wakeup() const {
  const auto due_us = ranked_campaign_.due_us();
  return due_us ? std::optional(SteadyTime(std::chrono::microseconds(*due_us))) : std::nullopt;
}

void RaftLog::campaign_if_alone() {
  const raft::Configuration& configuration = core_.configuration();
  const std::vector<raft::Member> alone = {core_.config().self};
  if (configuration.voters == alone && configuration.outgoing_voters.empty()) {
    core_.campaign();
  }
}

bool RaftLog::has_batch_under_way() const {
  return fitness_.has_batches_under_way() ||
         (core_.role() == raft::Role::leader && core_.commit_index() < core_.last_index());
}

void RaftLog::offer_batches() {
  while (!unoffered_batches_.empty() && world_.store(unoffered_batches_.front())) {
    unoffered_batches_.pop_front();
  }
}

void RaftLog::offer_fetches() {
  while (!unoffered_fetches_.empty() && world_.fetch(unoffered_fetches_.front())) {
    unoffered_fetches_.pop_front();
  }
}

LogOutput RaftLog::take_output(SteadyTime now) {
  if (ranked_campaign_.take_turn(core_, to_us(now))) {
    core_.campaign();
  }
  raft::Output output = core_.take_output();
  // 1. These may leave before anything is stored: what must wait for the disk is still inside the core, and
  // comes out
  //    after persisted(). Appends travel while this node's own disk writes the same entries.
  for (raft::Message& message : output.messages) {
    world_.send(std::move(message));
  }
  // 2. Stored in the order of their numbers, one sync for all that wait; then persisted(number) comes back.
  if (output.store) {
    fitness_.batch_leaves(output.store->number);
    unoffered_batches_.push_back(std::move(*output.store));
  }
  offer_batches();
  for (raft::FetchRequest& request : output.fetches) {
    unoffered_fetches_.push_back(std::move(request));
  }
  offer_fetches();
  // 3. Committed by a majority *and* stored here: may be applied.
  LogOutput result{
      .committed = std::move(output.committed), .barriers = {}, .status_changed = output.leadership_changed};
  result.barriers.reserve(output.reads.size());
  for (const raft::ReadReady& read : output.reads) {
    result.barriers.push_back({read.read_id, read.index});
  }
  return result;
}

}  // namespace parley::node
