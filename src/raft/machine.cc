#include "raft/machine.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "raft/index_math.h"

namespace parley::raft {
namespace {

// Cores that start with one seed must not draw the same timeouts.
std::uint64_t own_seed(const Config& config) {
  Random mix(config.seed ^ (config.self.incarnation.value() * 0x9E3779B97F4A7C15ULL));
  return mix.next() ^ config.self.id.value();
}

}  // namespace

Machine::Machine(Config core_config, RecoveredLog recovered, Index applied)
    : config(std::move(core_config)),
      hard_state(recovered.hard_state),
      handed_hard_state(recovered.hard_state),
      membership(recovered.compaction.configuration, recovered.configurations),
      log(std::move(recovered)),
      commit(std::max(log.compaction().index, applied)),
      random(own_seed(config)) {
  base::ensure(config.validate().has_value(), "a core gets a valid configuration");
  base::ensure(applied <= log.last(), "the state machine has applied only what the log holds");
  base::ensure(applied >= log.compaction().index, "what was compacted is in the state machine");
  base::ensure(hard_state.term >= log.last_term(), "the term is at least the log's newest");
  unapplied.applied = applied;
  next_wire_read_id = random.next();
  election_timeout =
      config.timing.election_timeout_ticks + random.below(config.timing.election_timeout_ticks);
  published = standing();
}

std::optional<Member> Machine::known_leader() const {
  if (leading() != nullptr) return self();
  if (const auto* follower = std::get_if<Follower>(&role)) return follower->leader;
  return std::nullopt;
}

Standing Machine::standing() const {
  return {.role = static_cast<Role>(role.index()), .term = term(), .leader = known_leader()};
}

bool Machine::needs_batch() const {
  return hard_state != handed_hard_state || log.handed() != log.last() || installed.has_value();
}

void Machine::send(const Member& to, MessageBody body) {
  out.messages.push_back({.from = self(), .to = to, .term = term(), .body = std::move(body)});
}

void Machine::send_once_stored(const Member& to, MessageBody body) {
  durability.hold({.from = self(), .to = to, .term = term(), .body = std::move(body)}, needs_batch());
}

void append_to_log(Machine& machine, Entry entry, std::optional<Configuration> brought) {
  const Index index = entry.index;
  machine.log.append(std::move(entry));
  if (brought) machine.membership.append(index, std::move(*brought));
}

void truncate_log(Machine& machine, Index from) {
  base::ensure(from > machine.commit, "a committed entry is never overridden");
  machine.log.truncate_from(from);
  machine.membership.truncate_from(from);
  machine.durability.truncate_from(from);
}

void commit_up_to(Machine& machine, Index index) {
  machine.commit = std::max(machine.commit, std::min(index, machine.log.last()));
}

}  // namespace parley::raft
