#include "node/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "node/read_router.h"
#include "node/stamped_entry.h"
#include "node/state_origin.h"
#include "node/write_router.h"
#include "raft/codec.h"

namespace parley::node {
namespace {

// Few enough that the first of them does not wait long for its answer, enough to tell the watches in one go.
constexpr std::size_t kEntriesPerAnswer = 32;
constexpr std::chrono::milliseconds kLongestReopenDelay{30'000};

// Its reads were answered or are too late, or it never had any: it only tells how fresh the state is.
bool is_probe(const ReadyReads& group) { return group.reads.empty(); }

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

}  // namespace

Applier::Applier(std::unique_ptr<chat::StateMachine> state, const std::string& why,
                 chat::StateOptions options, ApplyLimits limits, base::Position received, ApplyOutlet& outlet,
                 ApplyProgress& progress, Freshness& freshness)
    : options_(std::move(options)),
      limits_(limits),
      outlet_(outlet),
      progress_(progress),
      freshness_(freshness),
      state_(std::move(state)),
      received_(received),
      executed_(received),
      published_(received),
      reopen_delay_(limits.reopen_after) {
  if (!state_) {
    outlet_.cannot_apply(why);
    reopen_at_ = steady_now() + reopen_delay_;
  }
  note_progress();
}

// Everything that decides is in the entry and in the state: no clock, nothing random.
std::expected<chat::Applied, chat::StateError> Applier::run(const raft::Entry& entry) {
  if (entry.kind == raft::EntryKind::command) {
    const auto stamped = read_stamped_entry(entry.data.view());
    if (!stamped) {
      return std::unexpected(
          chat::StateError{.what = "an entry that is no command of ours", .is_newer_format = true});
    }
    return state_->apply(entry.index, stamped->stamp, stamped->command);
  }
  chat::StateResult<void> done;
  if (entry.kind == raft::EntryKind::founding) {
    const auto founding = raft::decode_founding(entry.data.view());
    base::ensure(founding.has_value(), "entry 1 decodes: it was checked before it was stored");
    done = state_->apply_founding(entry.index, founding->cluster_id, founding->state_seed);
  } else {
    done = state_->apply_nothing(entry.index);
  }
  if (!done) {
    return std::unexpected(std::move(done.error()));
  }
  return chat::Applied{};
}

bool Applier::apply_one(ApplyItem& item) {
  base::ensure(item.entry.index == received_.next(), "committed entries come in order and without a gap");
  received_ = item.entry.index;
  // A state that was opened late may be ahead of what has come.
  if (item.entry.index <= state_->applied()) {
    executed_ = std::max(executed_, item.entry.index);
    // Who waits for the result of one asks again: it was another life of this state that had it.
    return std::holds_alternative<std::monostate>(item.writer);
  }
  auto applied = run(item.entry);
  if (!applied) {
    broke(applied.error());
    return false;
  }
  executed_ = item.entry.index;
  if (!open_since_) {
    open_since_ = steady_now();
  }
  std::ranges::move(applied->events, std::back_inserter(events_));
  if (!std::holds_alternative<std::monostate>(item.writer)) {
    results_.emplace_back(std::move(item.writer), std::move(applied->result));
  }
  if (++executed_since_answer_ >= kEntriesPerAnswer) {
    answer();
  }
  return true;
}

// Events first: a watch that begins "from now" after an acknowledgement does not show what was acknowledged.
void Applier::answer() {
  executed_since_answer_ = 0;
  publish_events();
  bool has_replied = false;
  for (auto& [writer, result] : std::exchange(results_, {})) {
    if (auto* write = std::get_if<PendingWritePtr>(&writer)) {
      finish(**write, std::move(result));
    } else if (const auto* remote = std::get_if<RemoteWriter>(&writer)) {
      outlet_.reply(*remote, std::move(result));
      has_replied = true;
    }
  }
  if (has_replied) {
    outlet_.replied();
  }
}

void Applier::apply(std::vector<ApplyItem> items) {
  std::vector<PendingWritePtr> writes;
  std::vector<RemoteWriter> remote;
  for (ApplyItem& item : items) {
    if (state_ && !is_behind_ && apply_one(item)) {
      // A commit that fails takes nothing back from this entry's writer, who has its result.
      if (state_->uncommitted_entries() >= limits_.commit_entries) {
        // Told before it can be read: what is replayed to a watch is never past the end of its session.
        answer();
        static_cast<void>(commit());
      }
      continue;
    }
    // The entry is in the log, and is run from there in its turn; its result is asked for again where
    // somebody can apply it.
    received_ = std::max(received_, item.entry.index);
    if (auto* write = std::get_if<PendingWritePtr>(&item.writer)) {
      (*write)->may_have_happened = true;
      writes.push_back(std::move(*write));
    } else if (const auto* origin = std::get_if<RemoteWriter>(&item.writer)) {
      remote.push_back(*origin);
    }
  }
  answer();
  note_progress();
  if (!writes.empty() || !remote.empty()) {
    outlet_.give_back(std::move(writes), std::move(remote));
  }
}

// Rule 3: what was given out once is never given out again, whatever was rolled back since; being committed
// and stored in the log, it comes out the same when it is run again.
void Applier::publish_events() {
  std::vector<chat::SharedEvent> events = std::exchange(events_, {});
  if (executed_ <= published_) {
    return;
  }
  std::erase_if(events, [this](const chat::SharedEvent& event) { return event->position <= published_; });
  published_ = executed_;
  outlet_.publish(published_, std::move(events));
}

void Applier::broke(const chat::StateError& error) {
  // What ran before is committed and stored: its results hold, whatever was rolled back here.
  answer();
  state_.reset();
  is_behind_ = false;
  open_since_.reset();
  reopen_at_ = steady_now() + reopen_delay_;
  reopen_delay_ = std::min(2 * reopen_delay_, kLongestReopenDelay);
  outlet_.cannot_apply(error.what);
  // Linearizable reads cannot be answered here (rule 16).
  fail_waiting_reads("STATE_FAILED", "This node cannot apply what is committed: " + error.what);
}

bool Applier::commit() {
  open_since_.reset();
  if (auto done = state_->commit(); !done) {
    broke(done.error());
    return false;
  }
  if (auto done = state_->checkpoint_if_due(); !done) {
    broke(done.error());
    return false;
  }
  reopen_delay_ = limits_.reopen_after;
  note_progress();
  return true;
}

void Applier::serve(ReadyReads reads) {
  if (!state_ || is_behind_) {
    for (PendingRead& read : reads.reads) {
      fail(read, base::Code::unavailable, "STATE_FAILED", "This node cannot apply what is committed.");
    }
    return;
  }
  waiting_reads_.push_back(std::move(reads));
  thin_probes();
}

void Applier::serve_stale(PendingRead read, SteadyTime now) {
  if (read.deadline <= now) {
    fail(read, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The read was not answered in time.");
    return;
  }
  // A failed commit does not stand in the way: the snapshot is older then, and its age says so.
  if (state_ && state_->uncommitted_entries() > 0) {
    static_cast<void>(commit());
  }
  read.needs = base::Position(progress_.committed.load(std::memory_order_relaxed));
  outlet_.read(std::move(read));
}

void Applier::serve_ready() {
  if (!state_ || waiting_reads_.empty()) {
    return;
  }
  const base::Position applied = state_->applied();
  const bool needs_commit = std::ranges::any_of(waiting_reads_, [&](const ReadyReads& group) {
    return group.position <= applied && !group.reads.empty();
  });
  if (needs_commit && state_->uncommitted_entries() > 0 && !commit()) {
    return;
  }
  const base::Position readable = state_->uncommitted_entries() == 0
                                      ? applied
                                      : base::Position(progress_.committed.load(std::memory_order_relaxed));
  std::vector<ReadyReads> left;
  for (ReadyReads& group : waiting_reads_) {
    if (group.position > readable) {
      left.push_back(std::move(group));
      continue;
    }
    freshness_.as_of(group.asked_at);
    for (PendingRead& read : group.reads) {
      read.needs = group.position;
      outlet_.read(std::move(read));
    }
  }
  waiting_reads_ = std::move(left);
}

SteadyTime Applier::next_wakeup(SteadyTime now) const {
  if (is_behind_) {
    return now;
  }
  SteadyTime next = now + std::chrono::seconds(1);
  if (open_since_) {
    next = std::min(next, *open_since_ + limits_.commit_after);
  }
  if (reopen_at_) {
    next = std::min(next, *reopen_at_);
  }
  return next;
}

void Applier::idle(SteadyTime now) {
  serve_ready();
  if (state_ && open_since_ && now - *open_since_ >= limits_.commit_after && commit()) {
    serve_ready();
  }
  if (!state_ && reopen_at_ && now >= *reopen_at_) {
    try_reopen(now);
  } else if (is_behind_) {
    catch_up();
  }
  const auto is_late = [now](const PendingRead& read) { return read.deadline <= now; };
  for (ReadyReads& group : waiting_reads_) {
    for (PendingRead& read : group.reads) {
      if (is_late(read)) {
        fail(read, base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The read was not answered in time.");
      }
    }
    std::erase_if(group.reads, is_late);
  }
  thin_probes();
}

// A probe comes every half a second. While the state does not follow, the oldest that waits is the first to
// be true of it, the newest tells most, and those between are not worth keeping.
void Applier::thin_probes() {
  const auto oldest = std::ranges::find_if(waiting_reads_, is_probe);
  const auto newest = std::ranges::find_if(waiting_reads_.rbegin(), waiting_reads_.rend(), is_probe);
  if (oldest != waiting_reads_.end() && oldest != std::prev(newest.base())) {
    const auto between = std::remove_if(std::next(oldest), std::prev(newest.base()), is_probe);
    waiting_reads_.erase(between, std::prev(newest.base()));
  }
}

// Whoever mended the disk may have put another file in the state's place. Readers may have it open: it is not
// moved, and not used.
chat::StateResult<std::unique_ptr<chat::StateMachine>> Applier::open_again() const {
  auto opened = chat::StateMachine::open(options_);
  if (!opened) {
    return opened;
  }
  const base::Position applied = (*opened)->applied();
  if (is_of_another_cluster(applied, (*opened)->cluster_id().value_or(base::ClusterId{}),
                            outlet_.cluster_id())) {
    return std::unexpected(chat::StateError{
        .what =
            options_.path +
            " is the state of another cluster. Move it away: this node's own is made again from the log"});
  }
  // What came was stored; beyond it, the log itself must have what the state has run (rule 3).
  if (applied > received_) {
    const auto entries = outlet_.read_log(applied);
    if (!entries || entries->empty()) {
      return std::unexpected(chat::StateError{
          .what = entries
                      ? fmt::format("{} has applied entry {}, and this node's log does not go as far. Is it "
                                    "another node's, or is the log an old copy?",
                                    options_.path, applied.value())
                      : entries.error()});
    }
  }
  return opened;
}

void Applier::try_reopen(SteadyTime now) {
  auto opened = open_again();
  if (!opened) {
    reopen_at_ = now + reopen_delay_;
    reopen_delay_ = std::min(2 * reopen_delay_, kLongestReopenDelay);
    outlet_.cannot_apply(opened.error().what);
    return;
  }
  state_ = std::move(*opened);
  is_behind_ = true;
  reopen_at_.reset();
  outlet_.state_reopened();
  // It could not be opened at the start, and is ahead of what has come: what it ran is only in its tables.
  if (state_->applied() > executed_) {
    executed_ = state_->applied();
    published_ = executed_;
    outlet_.skip_to(executed_);
  }
  catch_up();
  if (is_behind_) {
    outlet_.cannot_apply("the state was opened again, and is being brought up to date from the log");
  }
}

// One portion: a state that is made again takes minutes, in which stale reads want their answers, and the end
// of the node is not to wait.
void Applier::catch_up() {
  if (state_->applied() < received_ && !run_from_log()) {
    return;
  }
  if (state_->applied() < received_) {
    return;
  }
  is_behind_ = false;
  note_progress();
  outlet_.cannot_apply("");
}

bool Applier::run_from_log() {
  auto entries = outlet_.read_log(state_->applied().next());
  if (!entries || entries->empty()) {
    broke({.what = entries ? "the log no longer has the entries after the state" : entries.error()});
    return false;
  }
  for (const raft::Entry& entry : *entries) {
    if (entry.index > received_) {
      break;
    }
    auto applied = run(entry);
    if (!applied) {
      broke(applied.error());
      return false;
    }
    // What ran before it was lost with an earlier state, ran.
    executed_ = std::max(executed_, entry.index);
    std::ranges::move(applied->events, std::back_inserter(events_));
  }
  publish_events();
  return commit();
}

void Applier::note_progress() {
  if (!state_) {
    return;
  }
  // A state that was opened late may be ahead of what has come; the core counts what it has given out.
  // A state that was opened anew may be behind what was given out and answered: that is never taken back.
  const std::uint64_t applied = std::min(state_->applied(), received_).value();
  progress_.applied.store(std::max(progress_.applied.load(std::memory_order_relaxed), applied),
                          std::memory_order_release);
  if (state_->uncommitted_entries() == 0) {
    progress_.committed.store(
        std::max(progress_.committed.load(std::memory_order_relaxed), state_->applied().value()),
        std::memory_order_release);
  }
  progress_.has_sweep_work.store(state_->has_sweep_work(), std::memory_order_relaxed);
  progress_.next_expiry_ms.store(state_->next_expiry_cluster_time_ms().value_or(INT64_MAX),
                                 std::memory_order_relaxed);
}

void Applier::stop() {
  if (state_ && commit()) {
    serve_ready();
  }
  abandon();
}

void Applier::abandon() {
  fail_waiting_reads("SHUTTING_DOWN", "This node is shutting down.");
  state_.reset();
  is_behind_ = false;
}

void Applier::fail_waiting_reads(const std::string& reason, const std::string& message) {
  for (ReadyReads& group : std::exchange(waiting_reads_, {})) {
    for (PendingRead& read : group.reads) {
      fail(read, base::Code::unavailable, reason, message);
    }
  }
}

}  // namespace parley::node
