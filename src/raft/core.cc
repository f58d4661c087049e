#include "raft/core.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "raft/codec.h"
#include "raft/election.h"
#include "raft/hash.h"
#include "raft/index_math.h"
#include "raft/machine.h"
#include "raft/reads.h"
#include "raft/replication.h"

namespace parley::raft {
namespace {

template <class Body, class... Kinds>
constexpr bool is_one_of = (std::is_same_v<Body, Kinds> || ...);

// An answer counts only from a member; so does a request for a read.
template <class Body>
constexpr bool wants_member =
    is_one_of<Body, PreVoteResponse, VoteResponse, AppendResponse, HeartbeatResponse, ReadIndexRequest>;
// Only who leads a term sends these in it.
template <class Body>
constexpr bool is_from_leader = is_one_of<Body, AppendRequest, HeartbeatRequest, SnapshotOffer>;

// Raises this node's term where the message demands it. False: the message is to be dropped.
template <class Body>
bool admit_term(Machine& machine, const Message& message, const Body& body) {
  if constexpr (is_one_of<Body, PreVoteRequest>) {
    return true;  // raises nobody's term, and is answered whatever its own
  } else if (message.term > machine.term()) {
    if constexpr (is_one_of<Body, PreVoteResponse>) {
      if (body.granted) return false;  // of an attempt long past: it grants a term that is over here
    }
    if constexpr (is_one_of<Body, VoteRequest>) {
      if (!machine.has_state() || (lease_holds(machine) && !body.leadership_transfer)) return false;
    }
    become_follower(machine, message.term,
                    is_from_leader<Body> ? std::optional<Member>(message.from) : std::nullopt);
    return true;
  } else if (message.term < machine.term()) {
    // Granted by a node in an older term: what counts is the term that it grants.
    if constexpr (is_one_of<Body, PreVoteResponse>) return body.granted;
    // A leader of an older term must hear that it is one, or this node could never follow again. Not before
    // the newer term is stored: with its disk hanging nobody is asked for votes, and the leader is needed.
    if constexpr (is_from_leader<Body>) machine.send_once_stored(message.from, HeartbeatResponse{.round = 0});
    return false;
  }
  return true;
}

void step_message(Machine& machine, const Message& message) {
  std::visit(
      [&]<class Body>(const Body& body) {
        if constexpr (wants_member<Body>) {
          if (!is_member(machine.configuration(), message.from)) return;
        }
        if (admit_term(machine, message, body)) handle(machine, message, body);
      },
      message.body);
}

// Messages to this node itself (a candidate's own vote) count now.
void release_held(Machine& machine) {
  for (Message& message : machine.durability.release()) {
    if (message.to == machine.self()) {
      step_message(machine, message);
    } else if (auto& messages = machine.out.messages;
               !messages.empty() && says_it_all(message, messages.back())) {
      messages.back() = std::move(message);
    } else {
      messages.push_back(std::move(message));
    }
  }
}

void give_out(Machine& machine, Entry entry) {
  const std::size_t size_bytes = entry_size_bytes(entry);
  machine.unapplied.sizes.push_back(size_bytes);
  machine.unapplied.size_bytes += size_bytes;
  machine.out.committed.push_back(std::move(entry));
}

bool is_ready_to_apply(const Machine& machine, Index index) {
  return index <= std::min(machine.commit, machine.log.stored());
}

// One entry larger than the limit goes alone.
bool has_room_for(const Machine& machine, const Entry& entry) {
  const std::size_t size_bytes = machine.unapplied.size_bytes;
  return size_bytes == 0 || size_bytes + entry_size_bytes(entry) <= machine.config.flow.max_unapplied_bytes;
}

// Committed and stored here (design.md, rule 3), and not too far ahead of the state machine.
void give_out_committed(Machine& machine) {
  for (;;) {
    const Index next = machine.unapplied.given().next();
    if (!is_ready_to_apply(machine, next)) return;
    const Entry* entry = machine.log.cached(next);
    if (entry == nullptr) break;
    if (!has_room_for(machine, *entry)) return;
    give_out(machine, *entry);
  }
  const FlowConfig& flow = machine.config.flow;
  if (machine.fetching_for_self || machine.self_fetch_waits_for_room ||
      machine.self_fetch_not_before > machine.now ||
      machine.unapplied.size_bytes >= flow.max_unapplied_bytes) {
    return;
  }
  machine.fetching_for_self = true;
  machine.out.fetches.push_back(
      {.peer = machine.self(),
       .first = machine.unapplied.given().next(),
       .max_size_bytes =
           std::min(flow.max_append_size_bytes, flow.max_unapplied_bytes - machine.unapplied.size_bytes)});
}

void give_out_fetched(Machine& machine, const FetchRequest& request, std::vector<Entry> entries) {
  if (!machine.fetching_for_self) return;
  machine.fetching_for_self = false;
  if (entries.empty()) machine.self_fetch_not_before = machine.now + 1;
  if (request.first != machine.unapplied.given().next()) return;
  for (Entry& entry : entries) {
    if (!is_ready_to_apply(machine, entry.index)) return;
    if (!has_room_for(machine, entry)) {
      machine.self_fetch_waits_for_room = true;
      return;
    }
    give_out(machine, std::move(entry));
  }
}

void start_batch(Machine& machine) {
  if (!machine.needs_batch()) return;
  StorageBatch batch;
  if (machine.hard_state != machine.handed_hard_state) {
    batch.hard_state = machine.hard_state;
    machine.handed_hard_state = machine.hard_state;
  }
  batch.installed = std::exchange(machine.installed, std::nullopt);
  batch.entries = machine.log.hand_over();
  batch.number = machine.durability.start_batch(machine.log.last());
  machine.out.store = std::move(batch);
}

}  // namespace

bool Output::empty() const {
  return messages.empty() && !store && committed.empty() && reads.empty() && fetches.empty() && !snapshot &&
         !leadership_changed;
}

Core::Core(Config config, RecoveredLog log, Index applied)
    : machine_(std::make_unique<Machine>(std::move(config), std::move(log), applied)) {}
Core::Core(const Core& other) : machine_(std::make_unique<Machine>(*other.machine_)) {}
Core& Core::operator=(const Core& other) {
  if (this != &other) *machine_ = *other.machine_;
  return *this;
}
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;
Core::~Core() = default;
bool Core::operator==(const Core& other) const { return *machine_ == *other.machine_; }
std::uint64_t Core::hash() const { return hash_of(*machine_); }

void Core::found(const Founding& founding) {
  base::ensure(!machine_->has_state(), "only an empty log is founded");
  const Term first_term(1);
  if (machine_->term() < first_term) become_follower(*machine_, first_term, std::nullopt);
  append_to_log(
      *machine_,
      {.index = Index(1), .term = first_term, .kind = EntryKind::founding, .data = Payload(encode(founding))},
      founding.configuration);
}

void Core::step(const Message& message) {
  if (message.to != machine_->self() || message.from == machine_->self()) return;
  step_message(*machine_, message);
}

void Core::tick() {
  ++machine_->now;
  if (machine_->leading() != nullptr) {
    tick_leader(*machine_);
    return;
  }
  tick_reads(*machine_);
  tick_election(*machine_);
}

std::expected<Index, ProposeError> Core::propose(Payload data) {
  return propose_command(*machine_, std::move(data));
}

std::expected<Index, std::string> Core::propose_configuration(const Configuration& next) {
  return propose_change(*machine_, next);
}

void Core::read(std::uint64_t read_id) { start_read(*machine_, read_id); }

void Core::persisted(std::uint64_t batch_number) {
  if (const auto stored = machine_->durability.finish_batch(batch_number)) machine_->log.mark_stored(*stored);
  release_held(*machine_);
  advance_commit(*machine_);
}

void Core::fetched(const FetchRequest& request, std::vector<Entry> entries) {
  Index expected = request.first;
  const auto wrong = std::ranges::find_if(entries, [&](const Entry& entry) {
    const bool fits = entry.index == expected && machine_->log.matches(entry.index, entry.term);
    expected = expected.next();
    return !fits;
  });
  entries.erase(wrong, entries.end());
  if (request.peer == machine_->self()) {
    give_out_fetched(*machine_, request, std::move(entries));
  } else {
    send_fetched(*machine_, request, std::move(entries));
  }
}

void Core::applied(Index index) {
  Unapplied& unapplied = machine_->unapplied;
  base::ensure(index <= unapplied.given(), "only what was given out is applied");
  while (unapplied.applied < index) {
    unapplied.size_bytes -= unapplied.sizes.front();
    unapplied.sizes.pop_front();
    unapplied.applied = unapplied.applied.next();
    machine_->self_fetch_waits_for_room = false;
  }
}

bool Core::install(const CompactionPoint& point) {
  if (point.index <= machine_->commit) return false;
  base::ensure(machine_->leading() == nullptr, "a leader has every committed entry");
  if (machine_->log.install(point)) {
    machine_->membership.compact(point);
  } else {
    machine_->membership.reset(point);
    machine_->durability.truncate_from(Index(1));
    machine_->durability.drop_held();  // answers about a log that is gone
  }
  machine_->commit = point.index;
  machine_->unapplied = {.applied = point.index};
  machine_->out.committed.clear();  // given out since the last output, and all of it before the point
  machine_->self_fetch_waits_for_room = false;
  machine_->fetching_for_self = false;
  machine_->installed = point;
  if (const auto leader = machine_->known_leader()) {
    machine_->send_once_stored(*leader, AppendResponse{.match_index = point.index});
  }
  return true;
}

void Core::compacted(const CompactionPoint& point) {
  base::ensure(point.index <= machine_->unapplied.applied, "only what is applied is compacted");
  machine_->log.compact(point);
  machine_->membership.compact(point);
}

void Core::transfer_leadership(Member target) { transfer(*machine_, target); }

void Core::step_down() {
  machine_->campaign_allowed = false;
  if (machine_->leading() != nullptr) become_follower(*machine_, machine_->term(), std::nullopt);
}

void Core::commit_news_may_wait(bool allowed) { machine_->commit_news_may_wait = allowed; }

void Core::may_campaign(bool allowed) { machine_->campaign_allowed = allowed; }

void Core::campaign() { raft::campaign(*machine_); }

void Core::forget_leader() {
  if (const auto* follower = std::get_if<Follower>(&machine_->role); follower == nullptr || !follower->leader)
    return;
  become_follower(*machine_, machine_->term(), std::nullopt);
}

Output Core::take_output() {
  replicate(*machine_);
  request_reads(*machine_);
  start_batch(*machine_);
  release_held(*machine_);
  give_out_committed(*machine_);
  // Also what the state machine was not given yet: it may stand still for as long as it likes (design.md,
  // rule 16), and then has it from the disk.
  machine_->log.trim_cache(machine_->commit, machine_->config.flow.max_cached_bytes);
  const Standing standing = machine_->standing();
  machine_->out.leadership_changed = standing != machine_->published;
  machine_->published = standing;
  return std::exchange(machine_->out, {});
}

Status Core::status() const {
  Status status{.role = role(),
                .term = term(),
                .leader = leader(),
                .commit = commit_index(),
                .last = last_index(),
                .stored = stored_index(),
                .configuration = configuration(),
                .peers = {},
                .lease_holds = lease_holds(),
                .term_has_commit = term_has_commit()};
  if (const Leader* leading = machine_->leading(); leading != nullptr) {
    const std::uint64_t timeout = machine_->config.timing.election_timeout_ticks;
    for (const Progress& peer : leading->peers) {
      if (peer.leaving) continue;
      status.peers.push_back({.member = peer.member,
                              .match = peer.match,
                              .recently_active = machine_->now - peer.last_heard < timeout});
    }
  }
  return status;
}

Role Core::role() const { return static_cast<Role>(machine_->role.index()); }
Term Core::term() const { return machine_->term(); }
std::optional<Member> Core::leader() const { return machine_->known_leader(); }
Index Core::commit_index() const { return machine_->commit; }
Index Core::last_index() const { return machine_->log.last(); }
Index Core::stored_index() const { return machine_->log.stored(); }
bool Core::is_disk_behind() const { return raft::disk_is_behind(*machine_); }
bool Core::lease_holds() const { return machine_->leading() != nullptr && raft::lease_holds(*machine_); }
bool Core::term_has_commit() const {
  const Leader* leading = machine_->leading();
  return leading != nullptr && raft::term_has_commit(*machine_, *leading);
}
const Configuration& Core::configuration() const { return machine_->configuration(); }
const Config& Core::config() const { return machine_->config; }
const Configuration& Core::configuration_at(Index index) const { return machine_->membership.as_of(index); }
std::optional<Term> Core::term_at(Index index) const { return machine_->log.term_at(index); }

}  // namespace parley::raft
