#include "node/raft_log.h"

#include <algorithm>
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

void RaftLog::may_lead(bool allowed) { can_apply_ = allowed; }

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
  ++ticks_;
  core_.tick();
  decide_leading();
}

void RaftLog::persisted(std::uint64_t batch_number) {
  while (!on_the_way_.empty() && on_the_way_.front().number <= batch_number) {
    on_the_way_.pop_front();
  }
  core_.persisted(batch_number);
}

void RaftLog::fetched(const raft::FetchRequest& request, std::vector<raft::Entry> entries) {
  core_.fetched(request, std::move(entries));
}

std::string_view RaftLog::why_not_leading() const {
  if (!can_apply_) {
    return "the state cannot be written";
  }
  if (is_disk_stalled_) {
    return "the disk is stalled: a write of the log has not come back";
  }
  return "";
}

// Rules 11 and 16. A leader whose disk or state fails hands over to the best follower; if that takes longer
// than an election timeout, it steps down: with the very tick that ends the core's transfer, or the entries
// that wait would be proposed in between. It does not campaign until the cause is gone.
void RaftLog::decide_leading() {
  const bool is_leader = core_.role() == raft::Role::leader;
  const auto timeout_ticks = static_cast<std::uint64_t>(core_.config().timing.election_timeout_ticks);
  // The oldest alone: under load there is always a batch on its way.
  is_disk_stalled_ = !on_the_way_.empty() && ticks_ - on_the_way_.front().since_tick > timeout_ticks / 2;
  const bool is_allowed = can_apply_ && !is_disk_stalled_;
  if (is_allowed != is_allowed_) {
    core_.may_campaign(is_allowed);
    is_allowed_ = is_allowed;
  }
  if (is_allowed || !is_leader) {
    handing_over_since_tick_.reset();
  } else if (!handing_over_since_tick_) {
    handing_over_since_tick_ = ticks_;
    hand_over();
  } else if (ticks_ - *handing_over_since_tick_ >= timeout_ticks) {
    core_.step_down();
  }
}

void RaftLog::hand_over() {
  const raft::Status status = core_.status();
  const raft::PeerStatus* best = nullptr;
  for (const raft::PeerStatus& peer : status.peers) {
    const bool is_voter =
        std::ranges::find(status.configuration.voters, peer.member) != status.configuration.voters.end();
    if (is_voter && peer.recently_active && (best == nullptr || peer.match > best->match)) {
      best = &peer;
    }
  }
  if (best != nullptr) {
    core_.transfer_leadership(best->member);
  } else {
    core_.step_down();
  }
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
  return !on_the_way_.empty() ||
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
    on_the_way_.push_back({output.store->number, ticks_});
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
