// PasswordPool: argon2id on a few threads of its own. Bounded: a full queue refuses at once (P6). Private to
// service. Owned by: Service. Any thread submits; callbacks run on the pool's threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/error.h"
#include "node/chat_node.h"
#include "service/service.h"

namespace parley::service {

class PasswordPool {
 public:
  PasswordPool(const PasswordCost& cost, std::size_t threads, std::size_t max_waiting);
  ~PasswordPool();
  PasswordPool(const PasswordPool&) = delete;
  PasswordPool& operator=(const PasswordPool&) = delete;

  using Hashed = std::move_only_function<void(base::Result<std::string>)>;
  using Verified = std::move_only_function<void(base::Result<bool>)>;

  // libsodium's argon2id string of `password`.
  void hash(std::string password, node::Deadline deadline, Hashed done);
  // Whether `password` is the one of `hash`. An empty `hash` (nobody there) is never matched, and takes as
  // long as one that is.
  void verify(std::string hash, std::string password, node::Deadline deadline, Verified done);

  // Refuses what comes from now on, and waits for the threads. What waits is answered UNAVAILABLE.
  void stop();

 private:
  struct Job {
    std::string hash;  // of a verification
    std::string password;
    node::Deadline deadline;
    Hashed hashed;  // one of the two is set
    Verified verified;
  };
  void submit(Job job);
  void run();
  void work(Job& job);

  const PasswordCost cost_;
  std::string nobodys_hash_;
  base::BoundedQueue<Job, base::Consumers::several> jobs_;
  std::atomic<std::int64_t> last_job_ms_{100};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace parley::service
