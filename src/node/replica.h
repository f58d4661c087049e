// Replica: one node: the log on disk, raft, the state machine, and the threads that join them (docs/node.md).
// Owned by: the program. open, stop: one thread; the rest is ChatNode's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "node/applier.h"
#include "node/chat_node.h"
#include "node/transport.h"
#include "node/watch_hub.h"
#include "node/write_router.h"
#include "raft/config.h"
#include "wal/log.h"

namespace parley::node {

struct ReplicaLimits {
  std::size_t max_writes = 16'384;         // of clients of this node, under way; beyond: RESOURCE_EXHAUSTED
  std::size_t max_reads = 16'384;          // the same
  std::size_t max_peer_messages = 16'384;  // that wait for the core thread; beyond: dropped
  // Calls that go to the leader because this node's state cannot be used; and, at the leader, those of all
  // other nodes.
  std::size_t max_calls = 1024;
  std::size_t max_call_bytes = 32UL * 1024 * 1024;
  std::size_t reader_threads = 2;
  std::chrono::milliseconds no_leader_answer{base::kNoLeaderAnswer_ms};
  ApplyLimits apply;
  WatchLimits watch;
  raft::FlowConfig flow;
};

struct ReplicaOptions {
  base::NodeId id;
  std::string data_folder;           // made with mode 0700 if missing
  std::vector<ListedNode> founders;  // the `--cluster` list; empty: founds nothing, waits to be taken in
  std::string peer_address;          // as others reach this node: the advertised ones
  std::string client_address;
  std::string http_address;
  std::uint32_t priority = 0;
  std::chrono::milliseconds tick{20};
  raft::TimingConfig timing;  // in ticks
  ReplicaLimits limits;
  wal::Options log;
  std::string sqlite_vfs;  // empty: the default one
  // Empty: the system's clock. Tests move it.
  std::function<std::int64_t()> wall_clock;
  // Empty: the clock that goes on while the machine sleeps. Tests move it. Called on any thread.
  std::function<BootTime()> boot_clock;
  // The log on disk can no longer be written or read. Empty: the process is stopped, as it must be; a test
  // that runs several nodes in one process stops this node alone.
  std::function<void(const std::string& what)> on_fatal;
};

class Replica : public ChatNode {
 public:
  // Recovers the log and the state, and starts. `files` and `transport` must outlive it. The error says why
  // this node cannot start, for people. A state that cannot be opened is none (rule 16): the node starts, and
  // says so in status().
  [[nodiscard]] static std::expected<std::unique_ptr<Replica>, std::string> open(ReplicaOptions options,
                                                                                 wal::FileSystem& files,
                                                                                 Transport& transport);
  // As kill().
  ~Replica() override = default;

  // Hands leadership over, answers what waits, seals the log, commits and checkpoints the state. Takes well
  // under two seconds.
  virtual void stop() = 0;
  // As if the process had died, except that whoever waits is told (unknown): nothing is sealed, committed or
  // flushed.
  virtual void kill() = 0;
};

}  // namespace parley::node
