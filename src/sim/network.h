// Network: carries packets between nodes, late, twice, out of order or not at all. Links have a direction; a
// cut is of one direction. Owned by: the run. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "raft/message.h"
#include "sim/options.h"
#include "sim/random.h"
#include "sim/scheduler.h"
#include "sim/trace.h"

namespace parley::sim {

// A client's write, as it travels. The value is what it writes; unique in a run.
struct Request {
  std::uint64_t request_id = 0;
  std::uint64_t value = 0;
  std::size_t padding_bytes = 0;
};

enum class Outcome : std::uint8_t { done, refused, unknown };

struct Answer {
  Outcome outcome = Outcome::unknown;
  raft::Index position;  // done: of the entry that took effect
};

struct ForwardRequest {
  std::uint64_t ticket = 0;  // of the asking node, in its present life
  std::uint64_t life = 0;
  Request request;
};
struct ForwardAnswer {
  std::uint64_t ticket = 0;
  std::uint64_t life = 0;
  Answer answer;
};

struct Packet {
  raft::NodeId from;
  raft::NodeId to;
  std::variant<raft::Message, ForwardRequest, ForwardAnswer> body;
};

class Network {
 public:
  using Deliver = std::function<void(const Packet&)>;

  // Ids of nodes are 1 to `nodes`.
  Network(Scheduler& scheduler, Trace& trace, FaultCounters& faults, const NetworkOptions& options, Rng rng,
          std::size_t nodes, Deliver deliver);

  void send(Packet packet);

  void cut(raft::NodeId from, raft::NodeId to) { link(from, to).cut = true; }
  void mend(raft::NodeId from, raft::NodeId to) { link(from, to).cut = false; }
  void mend_all();
  [[nodiscard]] bool is_cut(raft::NodeId from, raft::NodeId to) const { return link(from, to).cut; }
  // Holds everything on the link back until then.
  void clog(raft::NodeId from, raft::NodeId to, Time until) { link(from, to).clogged_until = until; }
  // From now on nothing is lost, replayed or held back, and delays are short. Cuts stay.
  void become_reliable();

 private:
  struct Link {
    bool cut = false;
    Time clogged_until{0};
    Time last_arrival{0};
    std::size_t queued = 0;
  };

  [[nodiscard]] Link& link(raft::NodeId from, raft::NodeId to);
  [[nodiscard]] const Link& link(raft::NodeId from, raft::NodeId to) const;
  void carry(const std::shared_ptr<const Packet>& packet, Duration delay, bool is_replay);
  void arrive(const Packet& packet);

  Scheduler& scheduler_;
  Trace& trace_;
  FaultCounters& faults_;
  NetworkOptions options_;
  Rng rng_;
  std::size_t nodes_;
  Deliver deliver_;
  std::vector<Link> links_;
};

}  // namespace parley::sim
