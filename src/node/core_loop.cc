#include "node/core_loop.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ensure.h"
#include "node/stamped_entry.h"
#include "raft/codec.h"

namespace parley::node {
namespace {

constexpr std::chrono::milliseconds kPublishEvery{50};
constexpr std::chrono::milliseconds kAnnounceCheck{1000};
constexpr std::chrono::milliseconds kAnnounceCheckYoung{250};  // while not all members are known
// Short: one that found no leader is tried again soon, and a node whose addresses nobody knows serves a page
// that cannot move on. Announced twice is announced once.
constexpr std::chrono::seconds kAnnounceDeadline{2};
constexpr std::chrono::milliseconds kHealthyWithin{1000};
constexpr std::size_t kMostGathered = 1024;
constexpr std::int64_t kMostTimeUnstamped_ms = std::int64_t{60} * 60 * 1000;  // of cluster time

std::optional<std::uint32_t> elapsed_ms(SteadyTime since, SteadyTime now) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - since).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(elapsed, 0, UINT32_MAX));
}

}  // namespace

CoreLoop::CoreLoop(raft::Core core, std::optional<raft::Founding> founding, chat::Stamp last_stamp,
                   CoreLoopOptions options, CorePorts& ports, Admission& admission,
                   const ApplyProgress& progress, std::shared_ptr<Places> writes_under_way, SteadyTime now)
    : options_(std::move(options)),
      self_(core.config().self),
      ports_(ports),
      admission_(admission),
      progress_(progress),
      writes_under_way_(std::move(writes_under_way)),
      now_(now),
      log_(std::move(core), options_.tick, *this),
      clock_(last_stamp),
      writes_(
          log_, clock_,
          [this](base::NodeId to, PeerMessage message) { return ports_.send(to, std::move(message)); },
          options_.writes, options_.first_forward_id, now),
      reads_(log_, options_.reads, now),
      calls_([this](base::NodeId to, PeerMessage message) { return ports_.send(to, std::move(message)); },
             [this](const raft::Member& origin, ForwardCall& forward) {
               return ports_.serve_call(origin, forward);
             },
             options_.calls, options_.first_forward_id, now),
      founder_(self_, options_.listed, founding),
      addresses_(self_.id, options_.listed),
      founding_(std::move(founding)),
      members_(log_.core().configuration()),
      next_tick_(now),
      next_announce_(now),
      next_publish_(now) {
  clock_.own_wall(ports_.wall_unix_ms(), now);
  if (founder_.has_state()) {
    admission_.set_members(members_);
    ports_.founded(*founding_);
    log_.campaign_if_alone();
  }
  publish_status(true);
}

SteadyTime CoreLoop::next_wakeup() const {
  SteadyTime next = next_tick_;
  if (const auto wanted = log_.next_wakeup()) {
    next = std::min(next, *wanted);
  }
  if (gathering_since_) {
    next = std::min(next, *gathering_since_ + kLongestGathering);
  }
  return next;
}

bool CoreLoop::gathers() const { return log_.has_batch_under_way(); }

// One batch at a time, as large as what came meanwhile: it costs each node a sync, five wake-ups and four
// messages, however small it is. A follower sends its clients' writes with its answer to the batch, in the
// same frame, so that they are with the leader when that begins the next one.
void CoreLoop::release_gathered() {
  if (gathered_.empty()) {
    return;
  }
  if (!gathering_since_) {
    gathering_since_ = now_;
  }
  const bool waits_too_long = now_ - *gathering_since_ >= kLongestGathering;
  if (gathers() && !waits_too_long && gathered_.size() < kMostGathered) {
    return;
  }
  gathering_since_.reset();
  for (Gathered& gathered : std::exchange(gathered_, {})) {
    if (auto* write = std::get_if<PendingWritePtr>(&gathered)) {
      writes_.submit(std::move(*write), now_);
    } else {
      const auto& [origin, forward] = std::get<GatheredForward>(gathered);
      writes_.on_forward(origin, forward, now_);
    }
  }
}

void CoreLoop::turn(std::deque<CoreEvent> events, SteadyTime now) {
  now_ = now;
  boot_now_ = ports_.boot_time();
  for (CoreEvent& event : events) {
    std::visit([this](auto& what) { on(what); }, event);
  }
  if (now_ >= next_tick_) {
    next_tick_ = now_ + options_.tick;
    tick();
  }
  release_gathered();
  reads_.ask(now_, boot_now_);
  log_.applied(base::Position(progress_.applied.load(std::memory_order_acquire)));
  log_.more_is_coming(!gathered_.empty());
  take_output();
  founded();
  offer_work();
  ports_.flush();
  publish_status(false);
}

// ---- events ----

void CoreLoop::on(PendingWritePtr& write) { gathered_.emplace_back(std::move(write)); }

void CoreLoop::on(PendingRead& read) {
  if (!cannot_apply_.empty()) {
    fail(read, base::Code::unavailable, "STATE_FAILED",
         "This node cannot apply what is committed: " + cannot_apply_);
    return;
  }
  reads_.submit(std::move(read));
}

void CoreLoop::on(PendingCallPtr& call) { calls_.submit(std::move(call), now_); }

void CoreLoop::on(PeerSaid& said) {
  heard_at_[said.from.id] = now_;
  for (PeerMessage& message : said.messages) {
    on_message(said.from, message);
  }
}

void CoreLoop::on_message(const raft::Member& from, PeerMessage& message) {
  if (auto* raft_message = std::get_if<RaftMessage>(&message)) {
    on_raft(from, *raft_message);
  } else if (auto* forward = std::get_if<ForwardWrite>(&message)) {
    gathered_.emplace_back(GatheredForward{from, std::move(*forward)});
  } else if (auto* reply = std::get_if<ForwardReply>(&message)) {
    writes_.on_reply(from, std::move(*reply));
  } else if (auto* call = std::get_if<ForwardCall>(&message)) {
    calls_.on_forward(from, std::move(*call));
  } else if (auto* answer = std::get_if<CallReply>(&message)) {
    calls_.on_reply(from, std::move(*answer), now_);
  } else if (auto* offer = std::get_if<FoundingOffer>(&message)) {
    if (log_.core().last_index().is_none() && founder_.takes(offer->founding)) {
      founding_ = std::move(offer->founding);
      log_.found(*founding_);
    }
  }
}

void CoreLoop::note_stamps(const std::vector<raft::Entry>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != raft::EntryKind::command) {
      continue;
    }
    if (const auto stamped = read_stamped_entry(entry->data.view())) {
      clock_.saw(stamped->stamp);
    }
    return;
  }
}

void CoreLoop::on_raft(const raft::Member& from, const RaftMessage& message) {
  // The connection is bound to who said Hello on it.
  if (message.message.from != from) {
    return;
  }
  if (const auto* append = std::get_if<raft::AppendRequest>(&message.message.body)) {
    // A node without state that is named by the cluster may get entry 1 as any other.
    if (!founding_ && !append->entries.empty() && append->entries.front().kind == raft::EntryKind::founding) {
      auto founding = raft::decode_founding(append->entries.front().data.view());
      if (!founding || !founder_.takes(*founding)) {
        return;
      }
      founding_ = std::move(*founding);
    }
  }
  log_.step(message.message);
  const auto leader = log_.core().leader();
  if (leader && *leader == from) {
    leadership_.heard_leader(now_);
  }
  if (message.wall_unix_ms == 0) {
    return;
  }
  if (std::holds_alternative<raft::HeartbeatResponse>(message.message.body)) {
    clock_.voter_wall(from.id, message.wall_unix_ms, now_);
  } else if (leader && *leader == from) {
    clock_.leader_wall(message.wall_unix_ms, now_);
  }
}

void CoreLoop::on(HelloHeard& heard) {
  if (heard.is_admitted) {
    addresses_.heard(heard.hello);
  }
  founder_.heard(heard.hello);
}

void CoreLoop::on(LinkUp& up) {
  links_.insert_or_assign(up.peer.id, up.peer);
  founder_.accepted_by(up.peer);
  writes_.on_link_up(now_);
  calls_.on_link_up(now_);
}

void CoreLoop::on(LinkDown& down) {
  const auto link = links_.find(down.peer.id);
  if (link != links_.end() && link->second == down.peer) {
    links_.erase(link);
  }
  founder_.lost(down.peer);
  // Rule 10: only this node's own connection counts, and only if nobody answered at once.
  if (down.why == LinkLoss::closed) {
    log_.connection_lost(down.peer, now_);
  }
  writes_.on_link_down(down.peer, now_);
  calls_.on_link_down(down.peer, now_);
}

void CoreLoop::on(Refused& refused) { founder_.refused_by(refused.by, std::move(refused.reason)); }

void CoreLoop::on(Persisted& persisted) { log_.persisted(persisted.batch_number); }

void CoreLoop::on(Fetched& fetched) { log_.fetched(fetched.request, std::move(fetched.entries)); }

void CoreLoop::on(GivenBack& given_back) {
  for (PendingWritePtr& write : given_back.writes) {
    writes_.submit(std::move(write), now_);
  }
  for (const RemoteWriter& origin : given_back.remote) {
    // Lost if there is no link: the origin asks again.
    [[maybe_unused]] const bool sent = ports_.send(
        origin.origin.id, ForwardReply{.forward_id = origin.forward_id, .answer = ForwardFailure::lost});
  }
}

void CoreLoop::on(CannotApply& cannot) {
  cannot_apply_ = std::move(cannot.why);
  log_.may_lead(cannot_apply_.empty() && !is_stopping_);
  calls_.may_serve(cannot_apply_.empty() && !is_stopping_);
  // At once: what apply gives back would be proposed here again.
  log_.decide_leading();
}

void CoreLoop::on(PrepareStop&) {
  is_stopping_ = true;
  log_.may_lead(false);
  calls_.may_serve(false);
  log_.decide_leading();
}

void CoreLoop::on(NodesKnown& known) {
  addresses_.logged(std::move(known.nodes));
  announce();
}

// ---- time ----

void CoreLoop::tick() {
  clock_.own_wall(ports_.wall_unix_ms(), now_);
  log_.tick();
  if (status_.is_leader && log_.core().lease_holds()) {
    leadership_.heard_leader(now_);
  }
  writes_.tick(now_);
  reads_.tick(now_, boot_now_);
  calls_.tick(now_);
  found();
  for (const raft::Member& peer : founder_.take_offers()) {
    // Offered again with the peer's next Hello, if this is lost on its way.
    if (!ports_.send(peer.id, FoundingOffer{*founding_})) {
      founder_.not_offered(peer);
    }
  }
  if (log_.core().configuration() != members_) {
    members_ = log_.core().configuration();
    admission_.set_members(members_);
  }
  auto peers = addresses_.peers(members_, founder_.has_state());
  if (peers != peers_) {
    peers_ = peers;
    ports_.set_peers(std::move(peers));
  }
  keep_house();
}

void CoreLoop::found() {
  if (founding_) {
    return;
  }
  if (auto founding = founder_.decide(ports_.make_secrets())) {
    founding_ = std::move(*founding);
    log_.found(*founding_);
  }
}

// Rule 1: it is told, and offered, only once it is stored.
void CoreLoop::founded() {
  if (founder_.has_state() || !founding_ || log_.core().stored_index().is_none()) {
    return;
  }
  founder_.stored(*founding_);
  members_ = log_.core().configuration();
  admission_.set_members(members_);
  admission_.joined(founding_->cluster_id);
  ports_.founded(*founding_);
  log_.campaign_if_alone();
  take_output();
}

// Something expires; or something will, and time that no entry has kept would be lost with this leader: in a
// quiet cluster that changes its leader now and then nothing would ever expire.
bool CoreLoop::is_tick_due() const {
  const std::int64_t next_expiry_ms = progress_.next_expiry_ms.load(std::memory_order_relaxed);
  return next_expiry_ms <= clock_.cluster_time_ms(now_) ||
         (next_expiry_ms != INT64_MAX && clock_.unstamped_ms(now_) >= kMostTimeUnstamped_ms);
}

// The leader's own commands: Sweep and Tick, one in flight, and only while nobody's write waits (rule 9),
// or house_pace.h says that it is time all the same.
void CoreLoop::keep_house() {
  if (founder_.has_state() && now_ >= next_announce_) {
    const bool knows_all = std::ranges::all_of(members_.voters, [this](const raft::Member& member) {
      return addresses_.find_logged(member.id) != nullptr;
    });
    next_announce_ = now_ + (knows_all ? kAnnounceCheck : kAnnounceCheckYoung);
    ports_.ask_nodes();
  }
  const bool is_done = !housekeeping_ || housekeeping_->term != status_.term ||
                       progress_.applied.load(std::memory_order_acquire) >= housekeeping_->position.value();
  if (!status_.is_leader || !is_done) {
    return;
  }
  housekeeping_.reset();
  const bool is_idle = writes_.is_idle() && gathered_.empty();
  if (!log_.status().can_commit || !cannot_apply_.empty() || !pace_.is_time(is_idle, now_)) {
    return;
  }
  if (progress_.has_sweep_work.load(std::memory_order_relaxed)) {
    housekeeping_ = writes_.propose_housekeeping(chat::encode(chat::Sweep{}), now_);
  } else if (is_tick_due()) {
    housekeeping_ = writes_.propose_housekeeping(chat::encode(chat::Tick{}), now_);
  }
  if (housekeeping_) {
    pace_.proposed(now_);
  }
}

void CoreLoop::announce() {
  const chat::NodeAddresses* known = addresses_.find_logged(self_.id);
  const chat::AnnounceNode& own = options_.addresses;
  const bool is_known =
      known != nullptr && known->incarnation == own.incarnation && known->peer_address == own.peer_address &&
      known->client_address == own.client_address && known->http_address == own.http_address;
  if (is_known || now_ < announced_until_ || is_stopping_) {
    return;
  }
  auto place = Place::take(writes_under_way_);
  if (!place) {
    return;
  }
  auto write = std::make_unique<PendingWrite>();
  write->command = base::Payload(chat::encode(own));
  write->deadline = now_ + kAnnounceDeadline;
  write->place = std::move(*place);
  // What came of it is seen in the state at the next look; the deadline alone decides when to try again.
  write->done = [](const base::Result<chat::CommandResult>&) {};
  announced_until_ = write->deadline;
  writes_.submit(std::move(write), now_);
}

// ---- output ----

void CoreLoop::send(raft::Message message) {
  RaftMessage out{.message = std::move(message)};
  if (std::holds_alternative<raft::HeartbeatResponse>(out.message.body)) {
    out.wall_unix_ms = ports_.wall_unix_ms();
  } else if (std::holds_alternative<raft::HeartbeatRequest>(out.message.body)) {
    out.wall_unix_ms = clock_.wall_unix_ms(now_, true);
  }
  const base::NodeId to = out.message.to.id;
  // Lost messages are part of the protocol.
  [[maybe_unused]] const bool sent = ports_.send(to, std::move(out));
}

// A stamp counts once its entry is in the log: one that was refused, here or of a stale leader, has kept no
// time.
bool CoreLoop::store(raft::StorageBatch& batch) {
  note_stamps(batch.entries);
  return ports_.store(batch);
}

void CoreLoop::take_output() {
  bool is_settled = false;
  while (!is_settled) {
    LogOutput output = log_.take_output(now_);
    // A new leader takes what waits for it: that gives out more, now and not a tick later.
    is_settled = !output.status_changed;
    if (output.status_changed) {
      on_status();
    }
    std::ranges::move(writes_.claim(std::move(output.committed)), std::back_inserter(unoffered_.items));
    std::ranges::move(reads_.on_answers(output.barriers), std::back_inserter(unoffered_.ready));
  }
}

void CoreLoop::on_status() {
  const LogStatus before = std::exchange(status_, log_.status());
  if (status_.is_leader && (!before.is_leader || status_.term != before.term)) {
    clock_.became_leader(now_);
  }
  leadership_.on_status(status_, ports_.wall_unix_ms(), now_);
  writes_.on_status(status_, now_);
  reads_.on_status(status_, now_);
  calls_.on_status(status_, now_);
  reads_.ask(now_, boot_now_);
  publish_status(true);
}

void CoreLoop::offer_work() {
  if (unoffered_.items.empty() && unoffered_.ready.empty()) {
    return;
  }
  if (ports_.apply(unoffered_)) {
    unoffered_ = {};
  }
}

// ---- status ----

std::string CoreLoop::trouble() const {
  if (!cannot_apply_.empty()) {
    return "this node cannot apply what is committed: " + cannot_apply_;
  }
  if (const std::string founding = founder_.trouble(); !founding.empty()) {
    return founding;
  }
  if (const std::string_view why = log_.why_not_leading(); !why.empty() && !is_stopping_) {
    return std::string(why);
  }
  if (writes_.is_leaderless(now_)) {
    return "no leader: a majority of the nodes cannot be reached";
  }
  return "";
}

PeerView CoreLoop::view_of(const raft::Member& member, bool is_voter, const raft::Status& status) const {
  PeerView view{.id = member.id, .is_voter = is_voter, .peer_address = addresses_.peer_address(member.id)};
  view.is_leader = status.leader == member;
  if (const chat::NodeAddresses* logged = addresses_.find_logged(member.id)) {
    view.client_address = logged->client_address;
    view.http_address = logged->http_address;
  }
  if (member == self_) {
    // Its own it knows before they are announced.
    view.peer_address = options_.addresses.peer_address;
    view.client_address = options_.addresses.client_address;
    view.http_address = options_.addresses.http_address;
    view.is_candidate = status.role == raft::Role::candidate || status.role == raft::Role::pre_candidate;
    view.match_index = status.stored.value();
    view.last_contact_ms = 0;
    view.healthy = trouble().empty();
    return view;
  }
  const auto peer = std::ranges::find(status.peers, member, &raft::PeerStatus::member);
  if (peer != status.peers.end()) {
    view.match_index = peer->match.value();
  }
  const auto heard = heard_at_.find(member.id);
  if (heard != heard_at_.end()) {
    view.last_contact_ms = elapsed_ms(heard->second, now_);
  }
  const bool is_heard = heard != heard_at_.end() && now_ - heard->second < kHealthyWithin;
  // Followers say nothing to each other: there the open link is the sign of life.
  view.healthy = status.role == raft::Role::leader ? is_heard : is_heard || links_.contains(member.id);
  return view;
}

NodeStatus CoreLoop::make_status() const {
  const raft::Status raft_status = log_.core().status();
  NodeStatus status{.self = self_.id,
                    .is_leader = status_.is_leader,
                    .is_candidate = status_.is_candidate,
                    .term = raft_status.term.value(),
                    .commit_index = raft_status.commit.value(),
                    .log_entries = raft_status.last.value()};
  if (founder_.has_state()) {
    status.cluster_id = founding_->cluster_id;
  }
  if (raft_status.leader) {
    status.leader = raft_status.leader->id;
  }
  for (const raft::Member& member : raft_status.configuration.voters) {
    status.nodes.push_back(view_of(member, true, raft_status));
  }
  for (const raft::Member& member : raft_status.configuration.learners) {
    status.nodes.push_back(view_of(member, false, raft_status));
  }
  status.writable = status_.is_leader ? log_.status().can_commit
                                      : raft_status.leader && links_.contains(raft_status.leader->id);
  status.leader_changes = leadership_.changes();
  status.trouble = trouble();
  return status;
}

void CoreLoop::publish_status(bool at_once) {
  if (!at_once && now_ < next_publish_) {
    return;
  }
  next_publish_ = now_ + kPublishEvery;
  ports_.publish(make_status(), clock_.wall_unix_ms(now_, status_.is_leader), now_);
}

void CoreLoop::stop() {
  for (Gathered& gathered : std::exchange(gathered_, {})) {
    if (auto* write = std::get_if<PendingWritePtr>(&gathered)) {
      fail(**write, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    }
  }
  writes_.stop();
  reads_.stop();
  calls_.stop();
  for (ReadyReads& group : unoffered_.ready) {
    for (PendingRead& read : group.reads) {
      fail(read, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    }
  }
  for (ApplyItem& item : unoffered_.items) {
    if (auto* write = std::get_if<PendingWritePtr>(&item.writer)) {
      (*write)->may_have_happened = true;
      fail(**write, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    }
  }
  unoffered_ = {};
}

}  // namespace parley::node
