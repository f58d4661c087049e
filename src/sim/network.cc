#include "sim/network.h"

#include <algorithm>
#include <utility>

#include "raft/describe.h"

namespace parley::sim {
namespace {

std::string describe_body(const Packet& packet) {
  if (const auto* message = std::get_if<raft::Message>(&packet.body)) {
    return raft::describe(*message);
  }
  if (const auto* forward = std::get_if<ForwardRequest>(&packet.body)) {
    return fmt::format("forward value {}", forward->request.value);
  }
  return fmt::format("answer to forward {}", std::get<ForwardAnswer>(packet.body).ticket);
}

std::uint64_t hash_of_packet(const Packet& packet) {
  if (const auto* message = std::get_if<raft::Message>(&packet.body)) {
    return hash_of(*message);
  }
  return mix(mix(packet.from.value(), packet.to.value()), packet.body.index());
}

}  // namespace

Network::Network(Scheduler& scheduler, Trace& trace, FaultCounters& faults, const NetworkOptions& options,
                 Rng rng, std::size_t nodes, Deliver deliver)
    : scheduler_(scheduler),
      trace_(trace),
      faults_(faults),
      options_(options),
      rng_(rng),
      nodes_(nodes),
      deliver_(std::move(deliver)),
      links_(nodes * nodes) {}

Network::Link& Network::link(raft::NodeId from, raft::NodeId to) {
  return links_.at((from.value() - 1) * nodes_ + (to.value() - 1));
}
const Network::Link& Network::link(raft::NodeId from, raft::NodeId to) const {
  return links_.at((from.value() - 1) * nodes_ + (to.value() - 1));
}

void Network::mend_all() {
  for (Link& each : links_) {
    each.cut = false;
  }
}

void Network::become_reliable() {
  options_ = NetworkOptions{.delay_min = Duration(100), .delay_max = Duration(1'000)};
  for (Link& each : links_) {
    each.clogged_until = Time(0);
  }
}

void Network::send(Packet packet) {
  Link& path = link(packet.from, packet.to);
  if (path.cut) {
    return;
  }
  if (options_.loss_percent > 0 && rng_.chance(options_.loss_percent)) {
    faults_.count(Fault::message_lost);
    return;
  }
  if (path.queued >= options_.max_queued) {
    faults_.count(Fault::queue_overflow);
    return;
  }
  const auto shared = std::make_shared<const Packet>(std::move(packet));
  carry(shared, rng_.between(options_.delay_min, options_.delay_max), false);
  if (options_.replay_percent > 0 && rng_.chance(options_.replay_percent)) {
    faults_.count(Fault::message_replayed);
    // Most replays come soon, some when the world has changed.
    const Duration late = rng_.chance(20) ? Duration(2'000'000) : options_.delay_max * 3;
    carry(shared, rng_.between(options_.delay_min, late), true);
  }
}

void Network::carry(const std::shared_ptr<const Packet>& packet, Duration delay, bool is_replay) {
  Link& path = link(packet->from, packet->to);
  Time arrival = std::max(scheduler_.now() + delay, path.clogged_until);
  if (!is_replay && options_.keeps_order) {
    arrival = std::max(arrival, path.last_arrival);
  }
  if (arrival < path.last_arrival) {
    faults_.count(Fault::message_reordered);
  }
  path.last_arrival = is_replay ? path.last_arrival : arrival;
  ++path.queued;
  scheduler_.at(arrival, [this, packet] { arrive(*packet); });
}

void Network::arrive(const Packet& packet) {
  Link& path = link(packet.from, packet.to);
  --path.queued;
  if (path.cut) {
    return;
  }
  trace_.record(scheduler_.now(), hash_of_packet(packet), [&] {
    return fmt::format("n{} <- n{} {}", packet.to.value(), packet.from.value(), describe_body(packet));
  });
  deliver_(packet);
}

}  // namespace parley::sim
