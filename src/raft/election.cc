#include "raft/election.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "raft/quorum.h"
#include "raft/reads.h"
#include "raft/replication.h"

namespace parley::raft {
namespace {

void restart_election_timer(Machine& machine) {
  const std::uint64_t base = machine.config.timing.election_timeout_ticks;
  machine.election_elapsed = 0;
  machine.election_timeout = base + machine.random.below(base);
}

void count_vote(std::vector<Vote>& votes, const Member& voter, bool granted) {
  if (std::ranges::find(votes, voter, &Vote::voter) != votes.end()) return;
  votes.push_back({.voter = voter, .granted = granted});
}

VoteResult tally(const Configuration& configuration, const std::vector<Vote>& votes) {
  const auto half = [&](const std::vector<Member>& voters) {
    VoteCount count{.voters = voters.size()};
    for (const Vote& vote : votes) {
      if (std::ranges::find(voters, vote.voter) == voters.end()) continue;
      ++(vote.granted ? count.granted : count.refused);
    }
    return majority_vote(count);
  };
  return both(half(configuration.voters), half(configuration.outgoing_voters));
}

// Every voter but this node.
std::vector<Member> other_voters(const Machine& machine) {
  std::vector<Member> voters = all_members(machine.configuration());
  std::erase_if(voters, [&](const Member& member) {
    return member == machine.self() || !is_voter(machine.configuration(), member);
  });
  return voters;
}

// The request leaves when term, vote and log are on disk: a candidate that forgot them in a crash could
// otherwise count old votes for a shorter log. Its own vote counts then, too.
void start_election(Machine& machine, bool leadership_transfer) {
  become_follower(machine, machine.term().next(), std::nullopt);
  machine.hard_state.voted_for = machine.self();
  machine.role = Candidate{};
  const VoteRequest request{.last_index = machine.log.last(),
                            .last_term = machine.log.last_term(),
                            .leadership_transfer = leadership_transfer};
  for (const Member& voter : other_voters(machine)) machine.send_once_stored(voter, request);
  machine.send_once_stored(machine.self(), VoteResponse{.granted = true});
}

void start_pre_vote(Machine& machine) {
  become_follower(machine, machine.term(), std::nullopt);
  machine.role = PreCandidate{.votes = {{.voter = machine.self(), .granted = true}}};
  if (tally(machine.configuration(), std::get<PreCandidate>(machine.role).votes) == VoteResult::won) {
    start_election(machine, false);
    return;
  }
  const PreVoteRequest request{.next_term = machine.term().next(),
                               .last_index = machine.log.last(),
                               .last_term = machine.log.last_term()};
  for (const Member& voter : other_voters(machine)) machine.send(voter, request);
}

}  // namespace

void become_follower(Machine& machine, Term term, std::optional<Member> leader) {
  base::ensure(term >= machine.term(), "a term never falls");
  fail_reads(machine);
  if (term > machine.term()) {
    machine.hard_state = {.term = term, .voted_for = std::nullopt};
    machine.durability.drop_held();
  }
  machine.role = Follower{.leader = leader, .last_leader_contact = machine.now};
  restart_election_timer(machine);
}

// A voter that the newest configuration leaves out may still be needed to commit it (Raft thesis 4.2.2): who
// stays may have a shorter log, and then cannot lead without its vote, nor get it. Its own vote does not
// count.
bool may_lead(const Machine& machine) {
  return machine.campaign_allowed && machine.has_state() &&
         machine.membership.may_vote(machine.self(), machine.commit);
}

bool disk_is_behind(const Machine& machine) {
  return machine.needs_batch() || machine.durability.finished_batch() != machine.durability.last_batch();
}

bool lease_holds(const Machine& machine) {
  if (const Leader* leader = machine.leading(); leader != nullptr)
    return quorum_is_in_touch(machine, *leader);
  const auto* follower = std::get_if<Follower>(&machine.role);
  return follower != nullptr && follower->leader &&
         machine.now - follower->last_leader_contact < machine.config.timing.election_timeout_ticks;
}

void campaign(Machine& machine) {
  if (machine.leading() != nullptr || !may_lead(machine)) return;
  if (disk_is_behind(machine)) {
    machine.election_elapsed = machine.election_timeout;
    return;
  }
  start_pre_vote(machine);
}

void tick_election(Machine& machine) {
  ++machine.election_elapsed;
  if (machine.election_elapsed < machine.election_timeout) return;
  if (may_lead(machine)) {
    campaign(machine);
  } else {
    become_follower(machine, machine.term(), std::nullopt);
  }
}

void handle(Machine& machine, const Message& message, const PreVoteRequest& request) {
  if (!machine.has_state() || lease_holds(machine)) return;
  const bool granted =
      request.next_term > machine.term() && machine.log.is_up_to_date(request.last_index, request.last_term);
  machine.send(message.from, PreVoteResponse{.next_term = request.next_term, .granted = granted});
}

void handle(Machine& machine, const Message& message, const PreVoteResponse& response) {
  auto* candidate = std::get_if<PreCandidate>(&machine.role);
  if (candidate == nullptr || response.next_term != machine.term().next()) return;
  count_vote(candidate->votes, message.from, response.granted);
  switch (tally(machine.configuration(), candidate->votes)) {
    case VoteResult::won:
      start_election(machine, false);
      break;
    case VoteResult::lost:
      become_follower(machine, machine.term(), std::nullopt);
      break;
    case VoteResult::pending:
      break;
  }
}

void handle(Machine& machine, const Message& message, const VoteRequest& request) {
  if (!machine.has_state()) return;
  const auto& voted_for = machine.hard_state.voted_for;
  const bool free = voted_for == message.from || (!voted_for && !machine.known_leader());
  if (!free || !machine.log.is_up_to_date(request.last_index, request.last_term)) {
    machine.send(message.from, VoteResponse{.granted = false});
    return;
  }
  machine.hard_state.voted_for = message.from;
  restart_election_timer(machine);
  machine.send_once_stored(message.from, VoteResponse{.granted = true});
}

void handle(Machine& machine, const Message& message, const VoteResponse& response) {
  auto* candidate = std::get_if<Candidate>(&machine.role);
  if (candidate == nullptr) return;
  count_vote(candidate->votes, message.from, response.granted);
  switch (tally(machine.configuration(), candidate->votes)) {
    case VoteResult::won:
      start_leading(machine);
      break;
    case VoteResult::lost:
      become_follower(machine, machine.term(), std::nullopt);
      break;
    case VoteResult::pending:
      break;
  }
}

void handle(Machine& machine, const Message& message, const TimeoutNow& /*request*/) {
  const auto* follower = std::get_if<Follower>(&machine.role);
  if (follower == nullptr || follower->leader != message.from || !may_lead(machine)) return;
  start_election(machine, true);
}

}  // namespace parley::raft
