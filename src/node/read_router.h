// ReadRouter: a barrier for every linearizable read (Raft thesis 6.4). Reads that arrive together share one;
// one that failed or was lost is asked for again, until the deadline. While nobody reads, a probe now and
// then tells how fresh this node's state is (the age of stale reads). Passive. Owned by: the core loop. Core
// thread alone.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "node/ordered_log.h"
#include "node/pending.h"

namespace parley::node {

struct ReadLimits {
  std::chrono::milliseconds no_leader_answer{2000};
  std::chrono::milliseconds resend{400};  // an answer that took longer counts as lost
  std::chrono::milliseconds probe{500};   // the longest time between two barriers
};

class ReadRouter {
 public:
  ReadRouter(OrderedLog& log, ReadLimits limits, SteadyTime now);

  void submit(PendingRead read);
  // Asks for one barrier for all that were submitted since. Once per turn of the loop, before take_output.
  void ask(SteadyTime now, BootTime boot_now);
  [[nodiscard]] std::vector<ReadyReads> on_answers(const std::vector<BarrierAnswer>& answers);
  void on_status(const LogStatus& status, SteadyTime now);
  void tick(SteadyTime now, BootTime boot_now);
  void stop();

 private:
  struct Asked {
    SteadyTime at;
    BootTime boot_at;
    std::vector<PendingRead> reads;
  };
  void ask_for(std::vector<PendingRead> reads, SteadyTime now, BootTime boot_now);
  void retry_late(SteadyTime now);
  void drop_expired(SteadyTime now);

  OrderedLog& log_;
  const ReadLimits limits_;
  std::uint64_t next_barrier_id_ = 1;
  std::map<std::uint64_t, Asked> asked_;  // oldest first
  std::vector<PendingRead> fresh_;        // to be asked for in this turn
  std::vector<PendingRead> failed_;       // to be asked for again at the next tick or change of leader
  bool has_leader_ = false;
  SteadyTime leaderless_since_;
  SteadyTime last_asked_;
};

void fail(PendingRead& read, base::Code code, std::string reason, std::string message);

}  // namespace parley::node
