// NodeFolder: what a node finds in its data folder at start: the log, and the state that goes with it.
// Owned by: the replica. Used once, before its threads run.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "chat/state_machine.h"
#include "raft/types.h"
#include "wal/log.h"

namespace parley::node {

struct OpenedFolder {
  wal::Log log;
  wal::Recovered recovered;
  std::optional<raft::Founding> founding;  // entry 1, if the log has it
  chat::StateOptions state_options;
  std::unique_ptr<chat::StateMachine> state;  // none: it cannot be used (rule 16)
  std::string why_no_state;
  chat::Stamp last_stamp;  // the newest in the log
  base::Position applied_at_start;

  [[nodiscard]] base::ClusterId cluster_id() const {
    return founding ? founding->cluster_id : base::ClusterId{};
  }
  // What the state has when the node starts.
  [[nodiscard]] base::Position applied() const { return applied_at_start; }
};

// Makes the folder if it is missing. The error says why the node cannot start, for people. A state that
// belongs to a log that was lost, or to another cluster, is moved aside, never used (rule 2). A folder that
// is another node's than `self` is refused: it would speak in that one's name.
[[nodiscard]] std::expected<OpenedFolder, std::string> open_folder(wal::FileSystem& files,
                                                                   const std::string& path,
                                                                   wal::Options log_options,
                                                                   std::string sqlite_vfs, base::NodeId self);

}  // namespace parley::node
