#include "raft/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <variant>
#include <vector>

#include "raft/codec.h"
#include "raft/machine.h"

namespace parley::raft {
namespace {

std::string join(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, " ")); }

std::string list(const std::vector<Member>& members) {
  std::vector<std::string> names;
  for (const Member& member : members) names.push_back(describe(member));
  return "(" + join(names) + ")";
}

std::string place(Index index, Term term) { return fmt::format("{}/{}", index.value(), term.value()); }

// The first bytes of a command, with what is not printable replaced.
std::string excerpt(const Payload& data) {
  constexpr std::size_t kShownBytes = 32;
  std::string text(data.view().substr(0, kShownBytes));
  for (char& byte : text) {
    if (byte < ' ' || byte > '~') byte = '.';
  }
  if (data.size_bytes() > kShownBytes) text += fmt::format("...{}", data.size_bytes());
  return "\"" + text + "\"";
}

std::string entries_of(const std::vector<Entry>& entries) {
  std::vector<std::string> parts;
  for (const Entry& entry : entries) parts.push_back(describe(entry));
  return "[" + fmt::format("{}", fmt::join(parts, ", ")) + "]";
}

std::string words(const PreVoteRequest& body) {
  return fmt::format("pre_vote_request next_term={} log={}", body.next_term.value(),
                     place(body.last_index, body.last_term));
}
std::string words(const PreVoteResponse& body) {
  return fmt::format("pre_vote_response next_term={} {}", body.next_term.value(),
                     body.granted ? "granted" : "refused");
}
std::string words(const VoteRequest& body) {
  return fmt::format("vote_request log={}{}", place(body.last_index, body.last_term),
                     body.leadership_transfer ? " transfer" : "");
}
std::string words(const VoteResponse& body) {
  return fmt::format("vote_response {}", body.granted ? "granted" : "refused");
}
std::string words(const AppendRequest& body) {
  return fmt::format("append prev={} commit={} {}", place(body.prev_index, body.prev_term),
                     body.commit.value(), entries_of(body.entries));
}
std::string words(const AppendResponse& body) {
  if (!body.rejected) return fmt::format("append_response match={}", body.match_index.value());
  return fmt::format("append_response rejected prev={} hint={}", body.rejected_prev.value(),
                     place(body.hint_index, body.hint_term));
}
std::string words(const HeartbeatRequest& body) {
  return body.round == 0 ? fmt::format("commit_notice commit={}", body.commit.value())
                         : fmt::format("heartbeat commit={} round={}", body.commit.value(), body.round);
}
std::string words(const HeartbeatResponse& body) {
  return fmt::format("heartbeat_response round={}", body.round);
}
// The id itself is seeded at random, and no reader's concern.
std::string words(const ReadIndexRequest& /*body*/) { return "read_index_request"; }
std::string words(const ReadIndexResponse& body) {
  return body.index ? fmt::format("read_index_response index={}", body.index->value())
                    : "read_index_response failed";
}
std::string words(const TimeoutNow& /*body*/) { return "timeout_now"; }
std::string words(const SnapshotOffer& body) {
  return fmt::format("snapshot_offer {} {}", place(body.point.index, body.point.term),
                     describe(body.point.configuration));
}

std::string_view name(ProgressState state) {
  switch (state) {
    case ProgressState::probe:
      return "probe";
    case ProgressState::replicate:
      return "replicate";
    case ProgressState::snapshot:
      return "snapshot";
  }
  return "?";
}

}  // namespace

std::string describe(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre_candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "?";
}

std::string describe(ProposeError error) {
  switch (error) {
    case ProposeError::not_leader:
      return "not_leader";
    case ProposeError::overloaded:
      return "overloaded";
    case ProposeError::transferring:
      return "transferring";
  }
  return "?";
}

std::string describe(const Member& member) {
  if (member.incarnation.value() == 1) return fmt::format("n{}", member.id.value());
  return fmt::format("n{}@{:x}", member.id.value(), member.incarnation.value());
}

std::string describe(const Configuration& configuration) {
  std::string text = "voters=" + list(configuration.voters);
  if (is_joint(configuration)) text += " outgoing=" + list(configuration.outgoing_voters);
  if (!configuration.learners.empty()) text += " learners=" + list(configuration.learners);
  if (!configuration.next_learners.empty()) text += " next_learners=" + list(configuration.next_learners);
  if (configuration.leaves_joint_by_itself) text += " auto";
  return text;
}

std::string describe(const Entry& entry) {
  std::string text = place(entry.index, entry.term);
  switch (entry.kind) {
    case EntryKind::no_op:
      return text + " no_op";
    case EntryKind::command:
      return text + " " + excerpt(entry.data);
    case EntryKind::founding:
    case EntryKind::configuration: {
      const auto brought = configuration_of(entry);
      text += entry.kind == EntryKind::founding ? " founding " : " configuration ";
      return text + (brought && *brought ? describe(**brought) : "(does not decode)");
    }
  }
  return text + " ?";
}

std::string describe(const HardState& hard_state) {
  return fmt::format("term={} vote={}", hard_state.term.value(),
                     hard_state.voted_for ? describe(*hard_state.voted_for) : "none");
}

std::string describe(const StorageBatch& batch) {
  std::vector<std::string> parts{fmt::format("#{}", batch.number)};
  if (batch.hard_state) parts.push_back(describe(*batch.hard_state));
  if (batch.installed) parts.push_back("installed " + place(batch.installed->index, batch.installed->term));
  if (!batch.entries.empty()) parts.push_back(entries_of(batch.entries));
  return join(parts);
}

std::string describe(const Message& message) {
  return fmt::format("{}->{} t{} {}", describe(message.from), describe(message.to), message.term.value(),
                     std::visit([](const auto& body) { return words(body); }, message.body));
}

std::string describe(const Status& status) {
  std::string text = fmt::format("{} term={} leader={} commit={} stored={} last={}", describe(status.role),
                                 status.term.value(), status.leader ? describe(*status.leader) : "none",
                                 status.commit.value(), status.stored.value(), status.last.value());
  return text + " " + describe(status.configuration);
}

std::string describe_progress(const Core& core) {
  const Leader* leader = core.machine().leading();
  std::string text;
  if (leader == nullptr) return text;
  for (const Progress& peer : leader->peers) {
    text += fmt::format("{}: {} match={} next={}", describe(peer.member), name(peer.state),
                        peer.match.value(), peer.next.value());
    if (peer.window.count() > 0) text += fmt::format(" inflight={}", peer.window.count());
    if (peer.leaving) text += " leaving";
    if (peer.probe_sent) text += " paused";
    if (peer.state == ProgressState::replicate && peer.window.is_full(core.config().flow)) text += " full";
    if (core.machine().now - peer.last_heard >= core.config().timing.election_timeout_ticks)
      text += " inactive";
    text += "\n";
  }
  return text;
}

}  // namespace parley::raft
