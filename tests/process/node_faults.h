// NodeFaults: a node whose wall clock can be set, whose log cannot be synced, or whose power fails: from
// outside, by a library that is loaded in front of the C library (fault_preload.cc). Owned by: a test;
// outlives the node. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/parley/cli_runner.h"
#include "tests/process/cluster.h"
#include "tests/process/fault_page.h"

namespace parley::testing {

class NodeFaults {
 public:
  NodeFaults();
  ~NodeFaults();
  NodeFaults(const NodeFaults&) = delete;
  NodeFaults& operator=(const NodeFaults&) = delete;

  // In front of the node's command.
  [[nodiscard]] std::vector<std::string> wrapper() const;

  // Also while it runs: the clock jumps.
  void set_wall_offset(std::chrono::milliseconds offset) { page_->wall_offset_ms = offset.count(); }
  // Of the files of the log; those of the state are synced as ever.
  void set_log_sync(LogSync sync) {
    page_->is_stalled = 0;
    page_->log_sync = sync;
  }
  // A sync waits, since they stall.
  [[nodiscard]] bool is_stalled() const { return page_->is_stalled != 0; }

  // After SIGKILL: the log as the disk has it, without what was written and never synced. Files and their
  // names stay. The number of pages that went.
  [[nodiscard]] int lose_power(const std::filesystem::path& data_folder);

 private:
  TempFolder folder_;
  FaultPage* page_ = nullptr;
};

// Each node with faults of its own, by id - 1.
[[nodiscard]] ClusterOptions with_faults(ClusterOptions options, std::vector<NodeFaults>& faults);

}  // namespace parley::testing
