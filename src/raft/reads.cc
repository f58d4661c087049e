#include "raft/reads.h"

#include <algorithm>

#include "raft/quorum.h"

namespace parley::raft {
namespace {

void answer(Machine& machine, const ReadBatch& batch, std::optional<Index> index) {
  for (const std::uint64_t read_id : batch.local)
    machine.out.reads.push_back({.read_id = read_id, .index = index});
  for (const RemoteRead& read : batch.remote) {
    machine.send(read.from, ReadIndexResponse{.read_id = read.read_id, .index = index});
  }
}

void answer(Machine& machine, const std::vector<std::uint64_t>& reads, std::optional<Index> index) {
  for (const std::uint64_t read_id : reads) machine.out.reads.push_back({.read_id = read_id, .index = index});
}

}  // namespace

void start_read(Machine& machine, std::uint64_t read_id) {
  const std::size_t limit = machine.config.flow.max_pending_reads;
  if (Leader* leader = machine.leading(); leader != nullptr && leader->reads.pending() < limit) {
    leader->reads.add_local(read_id);
    return;
  }
  if (auto* follower = std::get_if<Follower>(&machine.role);
      follower != nullptr && follower->leader && follower->reads.pending() < limit) {
    follower->reads.add(read_id);
    return;
  }
  machine.out.reads.push_back({.read_id = read_id, .index = std::nullopt});
}

void fail_reads(Machine& machine) {
  if (Leader* leader = machine.leading(); leader != nullptr) {
    for (const ReadBatch& batch : leader->reads.fail_all()) answer(machine, batch, std::nullopt);
  }
  if (auto* follower = std::get_if<Follower>(&machine.role); follower != nullptr) {
    answer(machine, follower->reads.fail_all(), std::nullopt);
  }
}

void release_confirmed_reads(Machine& machine) {
  Leader* leader = machine.leading();
  if (leader == nullptr || leader->reads.pending() == 0) return;
  const std::uint64_t confirmed = quorum_value(machine.configuration(), [&](const Member& voter) {
    if (voter == machine.self()) return leader->round;
    const auto peer = std::ranges::find(leader->peers, voter, &Progress::member);
    return peer == leader->peers.end() ? 0 : peer->acked_round;
  });
  for (const ReadBatch& batch : leader->reads.confirm(confirmed)) answer(machine, batch, batch.index);
}

void request_reads(Machine& machine) {
  auto* follower = std::get_if<Follower>(&machine.role);
  if (follower == nullptr || !follower->leader || !follower->reads.wants_request()) return;
  const std::uint64_t wire_id = machine.next_wire_read_id++;
  follower->reads.start_request(wire_id, machine.now);
  machine.send(*follower->leader, ReadIndexRequest{.read_id = wire_id});
}

void tick_reads(Machine& machine) {
  auto* follower = std::get_if<Follower>(&machine.role);
  if (follower == nullptr || !follower->leader || !follower->reads.asked()) return;
  const TimingConfig& timing = machine.config.timing;
  FollowerReads::Request& request = *follower->reads.asked();
  if (machine.now - request.asked_at >= timing.election_timeout_ticks) {
    answer(machine, follower->reads.answered(request.wire_id), std::nullopt);
  } else if (machine.now - request.sent_at >= timing.heartbeat_ticks) {
    request.sent_at = machine.now;
    machine.send(*follower->leader, ReadIndexRequest{.read_id = request.wire_id});
  }
}

void handle(Machine& machine, const Message& message, const ReadIndexRequest& request) {
  Leader* leader = machine.leading();
  if (leader == nullptr || leader->reads.pending() >= machine.config.flow.max_pending_reads) {
    machine.send(message.from, ReadIndexResponse{.read_id = request.read_id, .index = std::nullopt});
    return;
  }
  leader->reads.add_remote({.from = message.from, .read_id = request.read_id});
}

void handle(Machine& machine, const Message& message, const ReadIndexResponse& response) {
  auto* follower = std::get_if<Follower>(&machine.role);
  if (follower == nullptr || follower->leader != message.from) return;
  answer(machine, follower->reads.answered(response.read_id), response.index);
}

}  // namespace parley::raft
