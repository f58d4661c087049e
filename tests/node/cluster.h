// TestCluster: nodes of one process over an in-memory network, with real threads, logs and state files in a
// folder of their own. Owned by: one test. The test's thread calls it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/command.h"
#include "node/in_memory_transport.h"
#include "node/replica.h"
#include "tests/node/stalling_disk.h"

namespace parley::node::testing {

// The machine's clock.
[[nodiscard]] std::int64_t unix_ms();

// A folder below the system's temporary one; removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using WriteResult = base::Result<chat::CommandResult>;

// An account with an open session.
struct TestUser {
  std::string name;
  chat::AccountId account;
  chat::SessionHash session;
};

class TestCluster {
 public:
  using Adjust = std::function<void(ReplicaOptions&)>;

  // `adjust`: the options of a node at each of its starts. Before it they are as in use, but that nodes wait
  // longer for a leader until they refuse.
  explicit TestCluster(std::uint32_t size, Adjust adjust = {});
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  void start(std::uint32_t id);
  void start_all();
  void stop(std::uint32_t id);  // as by SIGTERM
  void kill(std::uint32_t id);  // as by SIGKILL
  // Only while it is stopped.
  void wipe(std::uint32_t id) const;      // the whole folder
  void wipe_log(std::uint32_t id) const;  // the log alone
  // Where a node is reached from its next start on, and what its list says from then on.
  void move_all_addresses();
  // The `--cluster` list that a node is started with, instead of the common one.
  void set_list(std::uint32_t id, std::vector<ListedNode> list) { lists_[id] = std::move(list); }

  // The disk that a node's log is on, from its next start on, instead of the real one.
  void set_disk(std::uint32_t id, wal::FileSystem& disk) { disks_[id] = &disk; }
  // One for each node, from its next start on.
  void use_stalling_disks();
  [[nodiscard]] StallingDisk& stalling_disk(std::uint32_t id) { return stalling_disks_.at(id); }

  [[nodiscard]] bool is_running(std::uint32_t id) const { return nodes_.contains(id); }
  [[nodiscard]] Replica& node(std::uint32_t id) { return *nodes_.at(id).replica; }
  [[nodiscard]] InMemoryNetwork& network() { return network_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::string folder(std::uint32_t id) const;
  [[nodiscard]] std::vector<ListedNode> list() const;
  [[nodiscard]] std::string address(std::uint32_t id) const;

  // Of those that run, the one that leads and is followed by a majority; waits for it.
  [[nodiscard]] std::uint32_t wait_for_leader();
  // Any running node but this.
  [[nodiscard]] std::uint32_t other_than(std::uint32_t id) const;
  // Every running node has applied everything that was acknowledged before.
  void wait_until_equal();

  [[nodiscard]] WriteResult write(std::uint32_t id, chat::Command command,
                                  std::chrono::milliseconds deadline = std::chrono::seconds(30));
  // Again with the same bytes while the outcome is unknown or nobody can take it, as a client does.
  [[nodiscard]] WriteResult write_until_known(std::uint32_t id, const chat::Command& command);
  // Runs `query` on a reader of this node; the error is the node's.
  [[nodiscard]] base::Result<AsOf> read(std::uint32_t id, ReadMode mode,
                                        const std::function<void(chat::Reader&)>& query,
                                        std::chrono::milliseconds deadline = std::chrono::seconds(30));

  // Requests
  [[nodiscard]] chat::RequestKey new_request();
  [[nodiscard]] TestUser make_user(std::uint32_t through, const std::string& name);
  [[nodiscard]] chat::SendMessage message(const TestUser& from, const TestUser& to, const std::string& body);
  // The bodies in `user`'s inbox at this node, oldest first.
  [[nodiscard]] std::vector<std::string> inbox(std::uint32_t id, ReadMode mode, const TestUser& user);

 private:
  struct Node {
    std::unique_ptr<InMemoryTransport> transport;
    std::unique_ptr<Replica> replica;
  };

  const std::uint32_t size_;
  const Adjust adjust_;
  std::uint32_t address_round_ = 0;
  TemporaryFolder folder_;
  std::unique_ptr<wal::FileSystem> files_;
  InMemoryNetwork network_;
  std::map<std::uint32_t, std::vector<ListedNode>> lists_;
  std::map<std::uint32_t, wal::FileSystem*> disks_;
  std::map<std::uint32_t, StallingDisk> stalling_disks_;
  std::map<std::uint32_t, Node> nodes_;
  std::atomic<std::uint64_t> next_random_{1};
};

[[nodiscard]] chat::SessionHash session_of(std::uint64_t number);

}  // namespace parley::node::testing
