// Clients: each does one thing at a time, a write of a unique value or a read, through any node, and tries
// again with the same request id until it knows the outcome or gives up. Owned by: the run. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/checkers.h"
#include "sim/node.h"
#include "sim/options.h"
#include "sim/random.h"

namespace parley::sim {

class Clients {
 public:
  using NodeOf = std::function<Node&(raft::NodeId)>;

  Clients(World& world, ClientOptions options, Rng rng, std::vector<raft::NodeId> nodes, NodeOf node_of);

  void start();
  // From now on: only these nodes, nothing lost, no giving up.
  void become_patient(std::vector<raft::NodeId> nodes);

  // Writes that began and were answered since become_patient.
  [[nodiscard]] std::uint64_t patient_writes_done() const { return patient_writes_done_; }
  [[nodiscard]] std::uint64_t writes_done() const { return writes_done_; }
  [[nodiscard]] std::uint64_t reads_done() const { return reads_done_; }
  // No new operations from now on.
  void stop() { stopped_ = true; }

 private:
  struct Client {
    std::size_t number = 0;
    raft::NodeId node;          // the one it uses as long as it answers
    std::uint64_t attempt = 0;  // counts all attempts: an answer to an older one comes too late
    unsigned attempts_of_operation = 0;
    bool reads = false;
    bool patient = false;  // began after become_patient
    Request request;
    raft::Index floor;
  };

  void think(Client& client);
  void begin(Client& client);
  void attempt(Client& client);
  void retry(Client& client);
  void wait(Client& client);
  void send_write(Client& client);
  void send_read(Client& client);
  // The reply travels back, if it is not lost; `handle` runs if the client still waits for it.
  void deliver_reply(Client& client, std::uint64_t attempt, Scheduler::Action handle);
  void note(const Client& client, std::string_view line);

  World& world_;
  ClientOptions options_;
  Rng rng_;
  std::vector<raft::NodeId> nodes_;
  NodeOf node_of_;
  std::vector<Client> clients_;
  std::uint64_t next_value_ = 0;
  std::uint64_t writes_done_ = 0;
  std::uint64_t reads_done_ = 0;
  std::uint64_t patient_writes_done_ = 0;
  bool patient_ = false;
  bool stopped_ = false;
};

}  // namespace parley::sim
