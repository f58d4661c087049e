// ScriptWorld: a few cores, each with a disk that is written when the script says so, and a network that
// holds every message until it is delivered. After each command all invariants are checked: those of each
// core, and those between them. Owned by: a script test. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.h"

namespace parley::raft::testing {

// One line of a script: `name positional... key=value...`.
struct Command {
  std::string name;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;

  [[nodiscard]] static Command parse(const std::string& line);
  [[nodiscard]] bool has(const std::string& key) const { return options.contains(key); }
  [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise) const;
  [[nodiscard]] std::uint64_t number(const std::string& key, std::uint64_t otherwise) const;
};

// What a node's log on disk holds: what was stored, and nothing else.
class ScriptDisk {
 public:
  void store(const StorageBatch& batch);
  void compact(const CompactionPoint& point);
  // At most `cached_entries` of the newest entries come along; the rest is fetched.
  [[nodiscard]] RecoveredLog recover(std::size_t cached_entries) const;
  [[nodiscard]] std::vector<Entry> read(Index first, std::size_t max_size_bytes) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  HardState hard_state;
  CompactionPoint compaction;

 private:
  std::vector<Entry> entries_;
};

struct ScriptNode {
  Config config;
  ScriptDisk disk;
  std::deque<StorageBatch> writes;  // given to the disk, not stored yet
  std::optional<Core> core;         // nothing: crashed
  std::vector<Entry> applied;       // by the state machine; survives a crash
  Index applied_index;
  // What the state machine goes back to if the log never records that a snapshot took its place.
  std::optional<std::vector<Entry>> applied_before_install;
  std::optional<SnapshotWanted> snapshot;
  std::vector<FetchRequest> fetches;
  bool holds_fetches = false;
  bool holds_apply = false;
};

class ScriptWorld {
 public:
  // The answer to one line of a script. A broken invariant is part of it, in capitals.
  [[nodiscard]] std::string run(const std::string& line);

  [[nodiscard]] const std::map<std::string, ScriptNode>& nodes() const { return nodes_; }

 private:
  using Handler = std::string (ScriptWorld::*)(const Command&);
  static const std::map<std::string, Handler>& handlers();

  // Making worlds.
  std::string cluster(const Command& command);
  std::string add_node(const Command& command);
  std::string set_log(const Command& command);
  std::string crash(const Command& command);
  std::string restart(const Command& command);
  // Calls of a core.
  std::string call(const Command& command);
  std::string propose(const Command& command);
  std::string propose_configuration(const Command& command);
  std::string tick(const Command& command);
  std::string compact(const Command& command);
  std::string install(const Command& command);
  std::string fetch(const Command& command);
  // Moving things.
  std::string output(const Command& command);
  std::string persist(const Command& command);
  std::string report_persisted(const Command& command);
  std::string apply(const Command& command);
  std::string deliver(const Command& command);
  std::string drop(const Command& command);
  std::string reorder(const Command& command);
  std::string duplicate(const Command& command);
  std::string isolate(const Command& command);
  std::string stabilize(const Command& command);
  // Looking.
  std::string show(const Command& command);

  ScriptNode& node(const std::string& word);
  Core& core(const std::string& word);
  std::vector<std::string> names(const Command& command) const;
  std::string take_output(ScriptNode& from);
  std::string take_messages(ScriptNode& from, Output& output);
  static void store(ScriptNode& node);
  void start(ScriptNode& node, std::uint64_t seed) const;
  bool matches(const Message& message, const Command& command) const;
  std::string check();
  void check_pair(const Core& one, const Core& other, std::string& broken) const;

  std::map<std::string, ScriptNode> nodes_;
  std::deque<Message> network_;
  std::set<NodeId> isolated_;
  Config defaults_;
  std::size_t cached_entries_ = 1000;
  std::map<std::string, Core> before_;  // each core as it was after the last command
  std::map<Term, Member> leaders_;      // of each term, ever
  std::map<std::pair<std::string, std::uint64_t>, Index> reads_;  // what was acknowledged when each began
  std::map<Index, Entry> committed_;                              // ever given out by anybody
};

}  // namespace parley::raft::testing
