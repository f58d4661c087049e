// Applier: runs committed entries on the state machine, in order, and nothing else does (design.md, rule 3).
// The result of a write goes out when its statement has run; the transaction is committed later: when a read
// needs it, or after some time or entries. An error of the disk or of SQLite stops applying on this node:
// whoever waits is given back to find another leader, and the state is opened again now and then and brought
// up to date from the log. Passive. Owned by: the apply thread, which alone touches it.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/state_machine.h"
#include "node/freshness.h"
#include "node/pending.h"

namespace parley::node {

struct ApplyLimits {
  std::chrono::milliseconds commit_after{50};    // the longest that a transaction stays open
  std::uint64_t commit_entries = 4096;           // the most entries in one
  std::chrono::milliseconds reopen_after{1000};  // of a state that failed
};

// What other threads look at. Any thread.
struct ApplyProgress {
  std::atomic<std::uint64_t> applied{0};  // executed
  // Readable. Never falls: a state that is made again answers nobody before it has come as far, since what
  // Freshness says was learnt of this position.
  std::atomic<std::uint64_t> committed{0};
  std::atomic<bool> has_sweep_work{false};
  std::atomic<std::int64_t> next_expiry_ms{INT64_MAX};  // of cluster time
};

// Where the applier's effects go. Called on the apply thread.
class ApplyOutlet {
 public:
  virtual ~ApplyOutlet() = default;
  virtual void reply(const RemoteWriter& writer, chat::CommandResult result) = 0;
  // After several replies: they may leave together.
  virtual void replied() = 0;
  // Their entries are in the log, but this node cannot run them.
  virtual void give_back(std::vector<PendingWritePtr> writes, std::vector<RemoteWriter> remote) = 0;
  // In order of position, each position once in the life of this process.
  virtual void publish(base::Position applied, std::vector<chat::SharedEvent> events) = 0;
  // The state has run everything up to `applied` in an earlier life; its events will not be published.
  virtual void skip_to(base::Position applied) = 0;
  virtual void read(PendingRead read) = 0;
  // The state was opened again, and its file may be another one. Before any read of it is handed over.
  virtual void state_reopened() = 0;
  // Empty: it can (again).
  virtual void cannot_apply(const std::string& why) = 0;
  // Stored entries from `first` on, as many as run in a moment; an error says why not. For bringing a
  // reopened state up to date.
  [[nodiscard]] virtual std::expected<std::vector<raft::Entry>, std::string> read_log(
      base::Position first) = 0;
  // The log's cluster. None: not founded yet.
  [[nodiscard]] virtual base::ClusterId cluster_id() const = 0;
};

class Applier {
 public:
  // `received`: the position after which entries will come. `state`: nothing if it could not be opened
  // (`why`).
  Applier(std::unique_ptr<chat::StateMachine> state, const std::string& why, chat::StateOptions options,
          ApplyLimits limits, base::Position received, ApplyOutlet& outlet, ApplyProgress& progress,
          Freshness& freshness);

  void apply(std::vector<ApplyItem> items);
  void serve(ReadyReads reads);
  void serve_stale(PendingRead read, SteadyTime now);
  // When idle() wants to be called at the latest.
  [[nodiscard]] SteadyTime next_wakeup(SteadyTime now) const;
  // Serves reads that have become possible, commits and checkpoints what is due, opens a failed state again
  // and brings it up to date, one portion of the log with each call.
  void idle(SteadyTime now);
  // Commits and checkpoints; reads that still wait are failed.
  void stop();
  // As if the process had died: what is not committed is lost to this state, and will come from the log
  // again.
  void abandon();

 private:
  [[nodiscard]] std::expected<chat::Applied, chat::StateError> run(const raft::Entry& entry);
  [[nodiscard]] bool apply_one(ApplyItem& item);
  void publish_events();
  void answer();
  void broke(const chat::StateError& error);
  [[nodiscard]] bool commit();
  void serve_ready();
  void thin_probes();
  void try_reopen(SteadyTime now);
  // The state, if it goes with this node's log.
  [[nodiscard]] chat::StateResult<std::unique_ptr<chat::StateMachine>> open_again() const;
  void fail_waiting_reads(const std::string& reason, const std::string& message);
  void catch_up();
  [[nodiscard]] bool run_from_log();  // false: it broke
  void note_progress();

  const chat::StateOptions options_;
  const ApplyLimits limits_;
  ApplyOutlet& outlet_;
  ApplyProgress& progress_;
  Freshness& freshness_;
  std::unique_ptr<chat::StateMachine> state_;  // none: it failed
  bool is_behind_ = false;    // the state was opened again and is brought up to date; not in use until then
  base::Position received_;   // the last entry that came
  base::Position executed_;   // the last entry that ran, in this process, whatever was rolled back since
  base::Position published_;  // events up to here were given out, in this process
  std::vector<chat::SharedEvent> events_;                        // not published yet
  std::vector<std::pair<Writer, chat::CommandResult>> results_;  // not given out yet
  std::size_t executed_since_answer_ = 0;
  std::optional<SteadyTime> open_since_;  // of the transaction
  std::vector<ReadyReads> waiting_reads_;
  std::optional<SteadyTime> reopen_at_;
  std::chrono::milliseconds reopen_delay_;  // grows while it fails
};

}  // namespace parley::node
