// Child: one process that was started here, addressed by its id alone; it dies with this program.
// Owned by: Nodes. Started by the main thread only: it dies with the thread that started it.
#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace parley::demo {

class Child {
 public:
  // In a process group of its own, so that Ctrl-C is not for it. Output is appended to `log`.
  [[nodiscard]] static std::expected<Child, std::string> start(const std::vector<std::string>& command,
                                                               const std::filesystem::path& log);
  Child(Child&& from) noexcept;
  Child& operator=(Child&& from) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();  // SIGKILL, if it still runs, and waits for its end

  void send(int signal) const;
  // SIGSTOP, and waits until every thread of it has stopped, or it has ended: kill() alone only queues the
  // signal.
  void freeze() const;
  // Nothing while it runs; then its wait status. Does not wait.
  [[nodiscard]] std::optional<int> ended();
  // Waits for the end.
  int wait();
  [[nodiscard]] pid_t id() const { return id_; }

 private:
  explicit Child(pid_t id) : id_(id) {}
  void end();
  pid_t id_;  // -1: moved from
  std::optional<int> status_;
};

// Runs a command to its end; its output goes nowhere. The error has its last words.
[[nodiscard]] std::expected<void, std::string> run_command(const std::vector<std::string>& command);

}  // namespace parley::demo
