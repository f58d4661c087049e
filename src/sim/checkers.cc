#include "sim/checkers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "raft/describe.h"
#include "raft/invariants.h"
#include "sim/trace.h"

namespace parley::sim {
namespace {

std::uint64_t key(raft::Index index, raft::Term term) {
  base::ensure(index.value() < (1ULL << 32U) && term.value() < (1ULL << 32U), "a run is short");
  return (index.value() << 32U) | term.value();
}

std::string text(raft::Member member) { return fmt::format("n{}", member.id.value()); }

}  // namespace

void Checkers::report(Check check, std::string what) {
  if (!violation_ && !muted_[static_cast<std::size_t>(check)]) {
    violation_ = Violation{check, std::move(what)};
  }
}

void Checkers::watch(raft::Member member, const SimDisk& disk) { watched_[member].disk = &disk; }

void Checkers::started(raft::Member member, const raft::RecoveredLog& log, const StateMachine& state) {
  Watched& watched = watched_.at(member);
  if (log.hard_state.term < watched.hard_state.term) {
    report(Check::never_backwards, fmt::format("{} restarted in t{}, but t{} was on its disk", text(member),
                                               log.hard_state.term.value(), watched.hard_state.term.value()));
  }
  watched.role = raft::Role::follower;
  watched.term = log.hard_state.term;
  watched.commit = raft::Index();
  watched.given = state.applied();
  watched.applied = state.applied();
  watched.core = nullptr;
  watched.before.reset();
}

void Checkers::ended(raft::Member member) {
  Watched& watched = watched_.at(member);
  watched.core = nullptr;
  watched.role = raft::Role::follower;
}

void Checkers::installed(raft::Member member, raft::Index index) {
  if (index > committed()) {
    report(Check::state_machine_safety,
           fmt::format("{} installed a snapshot at {}, which is not committed", text(member), index.value()));
  }
  Watched& watched = watched_.at(member);
  watched.given = std::max(watched.given, index);
  watched.applied = index;
}

void Checkers::stepped(raft::Member member, const raft::Core& core) {
  Watched& watched = watched_.at(member);
  watched.core = &core;
  watched.hard_state = watched.disk->durable().hard_state;
  // A leader that its own change of membership removes commits that entry and steps down in one step.
  const bool may_commit = core.role() == raft::Role::leader ||
                          (watched.role == raft::Role::leader && watched.term == core.term());
  check_role(watched, member);
  check_commit(watched, member, may_commit);
  check_core(watched, member);
}

void Checkers::gave(raft::Member member, const raft::Output& output) {
  Watched& watched = watched_.at(member);
  if (output.store) {
    check_store(watched, *output.store, member);
  }
  check_mirror(watched, member);
  check_messages(watched, output);
  check_given(watched, output, member);
}

void Checkers::check_core(Watched& watched, raft::Member member) {
  std::vector<std::string> broken = raft::broken_invariants(*watched.core);
  if (compares_steps_) {
    if (broken.empty() && watched.before) {
      broken = raft::broken_changes(*watched.before, *watched.core);
    }
    watched.before = *watched.core;
  }
  if (!broken.empty()) {
    report(Check::core_invariants, fmt::format("{}: {}", text(member), broken.front()));
  }
}

// Log matching by induction: if every (index, term) has one content and one predecessor, then two logs that
// share an (index, term) share everything before it.
void Checkers::check_store(const Watched& watched, const raft::StorageBatch& batch, raft::Member member) {
  if (batch.entries.empty()) {
    return;
  }
  const raft::Index first = batch.entries.front().index;
  std::optional<raft::Term> previous =
      first.value() == 1 ? raft::Term() : watched.disk->written().term_at(raft::Index(first.value() - 1));
  if (!previous) {
    report(Check::log_matching,
           fmt::format("{} stores {} without what comes before it", text(member), first.value()));
    return;
  }
  raft::Index expected = first;
  for (const raft::Entry& entry : batch.entries) {
    if (entry.index != expected || entry.term < *previous) {
      report(Check::log_matching,
             fmt::format("{} stores {}/{} after {}/{}", text(member), entry.index.value(), entry.term.value(),
                         expected.value() - 1, previous->value()));
      return;
    }
    const Content content{hash_of(entry), *previous};
    const auto [known, is_new] = contents_.try_emplace(key(entry.index, entry.term), content);
    if (!is_new &&
        (known->second.hash != content.hash || known->second.previous_term != content.previous_term)) {
      report(Check::log_matching, fmt::format("{} stores {}/{}, which is another entry elsewhere",
                                              text(member), entry.index.value(), entry.term.value()));
    }
    previous = entry.term;
    expected = expected.next();
  }
}

// What was handed to the disk is what the core believes its log to be.
void Checkers::check_mirror(const Watched& watched, raft::Member member) {
  const raft::Index written = watched.disk->written().last();
  if (written != watched.core->last_index()) {
    report(Check::durable_before_message,
           fmt::format("{} has a log to {}, but gave its disk one to {}", text(member),
                       watched.core->last_index().value(), written.value()));
  }
}

void Checkers::check_role(Watched& watched, raft::Member member) {
  const raft::Role role = watched.core->role();
  const raft::Term term = watched.core->term();
  if (term < watched.term) {
    report(Check::never_backwards,
           fmt::format("{} went from t{} back to t{}", text(member), watched.term.value(), term.value()));
  }
  const bool began_to_lead =
      role == raft::Role::leader && (watched.role != raft::Role::leader || watched.term != term);
  watched.role = role;
  watched.term = term;
  if (!began_to_lead) {
    return;
  }
  const auto [leader, is_new] = leaders_.try_emplace(term, member);
  if (!is_new) {
    report(Check::election_safety,
           fmt::format("{} and {} both lead t{}", text(leader->second), text(member), term.value()));
  }
  // By log matching the newest entry that was committed in an older term stands for all before it.
  raft::Index index = committed();
  while (!index.is_none() && committed_[index.value() - 1].committed_in >= term) {
    index = raft::Index(index.value() - 1);
  }
  if (!index.is_none()) {
    check_complete(*watched.core, member, index);
  }
}

void Checkers::check_complete(const raft::Core& core, raft::Member member, raft::Index index) {
  const raft::Term expected = committed_[index.value() - 1].term;
  if (core.term_at(index) != expected) {
    report(Check::leader_completeness, fmt::format("{} leads without the committed {}/{}", text(member),
                                                   index.value(), expected.value()));
  }
}

void Checkers::check_commit(Watched& watched, raft::Member member, bool may_commit) {
  const raft::Core& core = *watched.core;
  const raft::Index commit = core.commit_index();
  if (commit < watched.commit) {
    report(Check::never_backwards, fmt::format("{} went from commit {} back to {}", text(member),
                                               watched.commit.value(), commit.value()));
  }
  if (commit > core.last_index()) {
    report(Check::state_machine_safety, fmt::format("{} has commit {} beyond its last {}", text(member),
                                                    commit.value(), core.last_index().value()));
    return;
  }
  const bool advanced = commit > watched.commit;
  for (raft::Index index = watched.commit.next(); index <= commit; index = index.next()) {
    if (index > committed()) {
      if (!may_commit) {
        report(Check::state_machine_safety,
               fmt::format("{} takes {} for committed, and no leader does", text(member), index.value()));
        return;
      }
      extend_committed(core, index, member);
    }
    const auto term = core.term_at(index);
    const raft::Term expected = committed_[index.value() - 1].term;
    if (term && *term != expected) {
      report(Check::state_machine_safety,
             fmt::format("{} committed {}/{}, others {}/{}", text(member), index.value(), term->value(),
                         index.value(), expected.value()));
      return;
    }
  }
  watched.commit = commit;
  if (advanced && may_commit) {
    check_majority(core.configuration(), commit, committed_[commit.value() - 1].term);
  }
}

void Checkers::extend_committed(const raft::Core& core, raft::Index index, raft::Member member) {
  const auto term = core.term_at(index);
  base::ensure(term.has_value(), "what is committed for the first time is in the log");
  const raft::Term term_now = watched_.at(member).term;
  committed_.push_back(Committed{.term = *term, .committed_in = term_now});
  for (const auto& [other, watched] : watched_) {
    if (watched.core != nullptr && watched.role == raft::Role::leader && watched.term > term_now) {
      check_complete(*watched.core, other, index);
    }
  }
}

bool Checkers::majority_stored(const std::vector<raft::Member>& voters, raft::Index index,
                               raft::Term term) const {
  const auto stored = std::count_if(voters.begin(), voters.end(), [&](raft::Member voter) {
    const auto watched = watched_.find(voter);
    if (watched == watched_.end()) {
      return false;
    }
    const DiskContent& durable = watched->second.disk->durable();
    return durable.term_at(index) == term || durable.compaction.index > index;
  });
  return 2 * static_cast<std::size_t>(stored) > voters.size();
}

void Checkers::check_majority(const raft::Configuration& configuration, raft::Index index, raft::Term term) {
  const bool joint = !configuration.outgoing_voters.empty();
  if (!majority_stored(configuration.voters, index, term) ||
      (joint && !majority_stored(configuration.outgoing_voters, index, term))) {
    report(Check::majority_durable, fmt::format("{}/{} is committed, but not on the disks of a majority: {}",
                                                index.value(), term.value(), describe(configuration)));
  }
}

void Checkers::check_messages(const Watched& watched, const raft::Output& output) {
  for (const raft::Message& message : output.messages) {
    check_message(watched, message);
  }
}

void Checkers::check_message(const Watched& watched, const raft::Message& message) {
  const raft::HardState& stored = watched.disk->durable().hard_state;
  if (std::holds_alternative<raft::VoteRequest>(message.body)) {
    // Its vote for itself, and the log that it boasts of, must survive: else it could stand again in this
    // term with a shorter log and count a vote that was given to the longer one.
    if (stored.term < message.term || (stored.term == message.term && stored.voted_for != message.from)) {
      report(Check::durable_before_message,
             fmt::format("{} stands in t{}, its disk knows t{}", text(message.from), message.term.value(),
                         stored.term.value()));
    }
  } else if (const auto* vote = std::get_if<raft::VoteResponse>(&message.body);
             vote != nullptr && vote->granted) {
    if (stored.term < message.term || (stored.term == message.term && stored.voted_for != message.to)) {
      report(Check::durable_before_message,
             fmt::format("{} votes for {} in t{}, its disk does not know", text(message.from),
                         text(message.to), message.term.value()));
    }
    const auto [given, is_new] = votes_.try_emplace({message.from, message.term}, message.to);
    if (!is_new && given->second != message.to) {
      report(Check::one_vote, fmt::format("{} votes for {} and {} in t{}", text(message.from),
                                          text(given->second), text(message.to), message.term.value()));
    }
  } else if (const auto* append = std::get_if<raft::AppendResponse>(&message.body);
             append != nullptr && !append->rejected) {
    const bool short_of_it =
        stored.term == message.term && watched.disk->durable().last() < append->match_index;
    if (stored.term < message.term || short_of_it) {
      report(Check::durable_before_message,
             fmt::format("{} acknowledges {} in t{}, its disk has {} in t{}", text(message.from),
                         append->match_index.value(), message.term.value(),
                         watched.disk->durable().last().value(), stored.term.value()));
    }
  } else if (const auto* request = std::get_if<raft::AppendRequest>(&message.body)) {
    check_append(*request, message.from);
  } else if (const auto* heartbeat = std::get_if<raft::HeartbeatRequest>(&message.body);
             heartbeat != nullptr && heartbeat->commit > committed()) {
    report(Check::state_machine_safety, fmt::format("{} tells of commit {}, which nobody has",
                                                    text(message.from), heartbeat->commit.value()));
  }
}

void Checkers::check_append(const raft::AppendRequest& append, raft::Member from) {
  if (append.commit > committed()) {
    report(Check::state_machine_safety,
           fmt::format("{} tells of commit {}, which nobody has", text(from), append.commit.value()));
  }
  std::size_t size_bytes = 0;
  for (const raft::Entry& entry : append.entries) {
    size_bytes += entry.data.size_bytes();
  }
  if (append.entries.size() > flow_.max_append_entries ||
      (append.entries.size() > 1 && size_bytes > flow_.max_append_size_bytes)) {
    report(Check::bounded, fmt::format("{} sends {} entries of {} bytes at once", text(from),
                                       append.entries.size(), size_bytes));
  }
}

void Checkers::check_given(Watched& watched, const raft::Output& output, raft::Member member) {
  for (const raft::Entry& entry : output.committed) {
    if (entry.index != watched.given.next()) {
      report(Check::state_machine_safety, fmt::format("{} gives out {} after {}", text(member),
                                                      entry.index.value(), watched.given.value()));
    }
    watched.given = entry.index;
    const auto stored = watched.disk->durable().term_at(entry.index);
    if (entry.index > committed() || stored != entry.term) {
      report(Check::state_machine_safety,
             fmt::format("{} gives out {}/{}, which is not committed and stored on its own disk",
                         text(member), entry.index.value(), entry.term.value()));
    }
  }
}

void Checkers::applied(raft::Member member, const raft::Entry& entry, const StateMachine& state) {
  Watched& watched = watched_.at(member);
  if (entry.index != watched.applied.next() || state.applied() != entry.index) {
    report(Check::state_machine_safety,
           fmt::format("{} applies {} after {}", text(member), entry.index.value(), watched.applied.value()));
    return;
  }
  watched.applied = entry.index;
  if (entry.index > committed()) {
    report(Check::state_machine_safety,
           fmt::format("{} applies {}, which is not committed", text(member), entry.index.value()));
    return;
  }
  Committed& known = committed_[entry.index.value() - 1];
  if (known.state_hash == 0) {
    known.state_hash = state.hash();
    if (entry.kind == raft::EntryKind::command) {
      known.request = decode_request(entry.data.view());
    }
  }
  if (known.state_hash != state.hash() || known.term != entry.term) {
    report(Check::state_machine_safety, fmt::format("{} has another state after {}/{} than others",
                                                    text(member), entry.index.value(), entry.term.value()));
  }
  const Applied& step = state.newest();
  if (step.took_effect) {
    const auto [effect, is_new] = effects_.try_emplace(step.request->value, entry.index);
    if (!is_new && effect->second != entry.index) {
      report(Check::exactly_once, fmt::format("value {} takes effect at {} and at {}", step.request->value,
                                              effect->second.value(), entry.index.value()));
    }
  }
}

void Checkers::unapplied(raft::Member member, std::size_t size_bytes, std::size_t newest_bytes) {
  if (size_bytes > flow_.max_unapplied_bytes + newest_bytes) {
    report(Check::bounded, fmt::format("{} has {} bytes that wait to be applied", text(member), size_bytes));
  }
}

void Checkers::write_done(raft::Index floor, const Request& request, raft::Index position) {
  const Committed* entry =
      !position.is_none() && position <= committed() ? &committed_[position.value() - 1] : nullptr;
  if (entry == nullptr || !entry->request || entry->request->value != request.value) {
    report(Check::acknowledged_kept,
           fmt::format("value {} was acknowledged at {}, and is not there", request.value, position.value()));
  }
  if (position <= floor) {
    report(Check::linearizable,
           fmt::format("a write took effect at {}, but {} had been answered before it began",
                       position.value(), floor.value()));
  }
  answered_ = std::max(answered_, position);
}

void Checkers::read_done(raft::Index floor, raft::Index observed, std::uint64_t state_hash) {
  if (observed < floor) {
    report(Check::linearizable, fmt::format("a read saw {}, but {} had been answered before it began",
                                            observed.value(), floor.value()));
  }
  if (observed > committed() ||
      (!observed.is_none() && committed_[observed.value() - 1].state_hash != state_hash)) {
    report(Check::linearizable,
           fmt::format("a read saw a state at {} that nobody else has", observed.value()));
  }
  answered_ = std::max(answered_, observed);
}

}  // namespace parley::sim
