// Process: one child process, addressed by its id alone; gone with the object.
// Owned by: a test's fixture. Started from the test's main thread only: it dies with that thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace parley::testing {

class Process {
 public:
  // Output is appended to `log`.
  Process(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~Process();  // SIGKILL, if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send_signal(int signal) const;
  // SIGSTOP. Returns when every thread of it has stopped (or it has ended): kill() alone only puts the signal
  // in the queue, and on a busy machine the threads run on until one of them is scheduled to take it.
  void freeze() const;
  // False: it still runs after `limit`.
  [[nodiscard]] bool wait_for_end(std::chrono::milliseconds limit);
  [[nodiscard]] bool is_running();
  // Of waitpid; only after its end.
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

// A loopback port that nobody listens on and that the kernel gives to no outgoing connection.
[[nodiscard]] std::uint16_t free_port();

}  // namespace parley::testing
