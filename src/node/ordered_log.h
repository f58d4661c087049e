// OrderedLog: all that the rest of the node needs of replication: propose, committed entries, barrier,
// status. RaftLog implements it; another ordered log could stand in for it. Passive. Owned by: the replica.
// Core thread alone.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/payload.h"
#include "raft/types.h"

namespace parley::node {

// Where an entry lies: the same position in another term is another entry.
struct LogPlace {
  base::Position position;
  raft::Term term;
  auto operator<=>(const LogPlace&) const = default;
};

// Nothing happened in any of these cases.
enum class ProposeRefusal : std::uint8_t { not_leader, overloaded, handing_over };

struct BarrierAnswer {
  std::uint64_t barrier_id = 0;
  // A read that was asked for before this barrier may be answered from state that has applied this. Nothing:
  // ask again.
  std::optional<base::Position> position;
};

struct LogOutput {
  std::vector<raft::Entry>
      committed;  // committed *and* stored in this node's own log (rule 3), in order, no gap
  std::vector<BarrierAnswer> barriers;
  bool status_changed = false;  // leader, term or role differ from the last output
};

struct LogStatus {
  bool is_leader = false;
  bool is_candidate = false;
  raft::Term term;
  std::optional<raft::Member> leader;
  base::Position commit;
  base::Position last;      // of the log
  base::Position stored;    // of the log, on this node's disk
  bool can_commit = false;  // leader: in touch with a quorum, and an entry of its own term is committed
};

class OrderedLog {
 public:
  virtual ~OrderedLog() = default;
  // The leader appends `entry`. It may be lost when the leadership changes: then another term's entry is
  // committed at its position.
  [[nodiscard]] virtual std::expected<LogPlace, ProposeRefusal> propose(base::Payload entry) = 0;
  // The answer comes in LogOutput::barriers; it may be lost.
  virtual void barrier(std::uint64_t barrier_id) = 0;
  // The state machine has it; lets more committed entries come out.
  virtual void applied(base::Position position) = 0;
  // Rule 16: a node that cannot apply hands over at once, and does not campaign until it can again.
  virtual void may_lead(bool allowed) = 0;
  [[nodiscard]] virtual LogStatus status() const = 0;
};

}  // namespace parley::node
