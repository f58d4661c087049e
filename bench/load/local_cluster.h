// LocalCluster: real parleyd processes on this machine, for measuring: started, killed and started again by
// id, ended with this object. Owned by: main, its thread alone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace parley::bench {

class LocalCluster {
 public:
  // Makes a folder for each node under `folder` and starts them all on free ports of the loopback.
  [[nodiscard]] static std::expected<LocalCluster, std::string> start(const std::string& program,
                                                                      const std::string& folder,
                                                                      std::size_t nodes);
  LocalCluster(LocalCluster&&) noexcept = default;
  LocalCluster& operator=(LocalCluster&&) noexcept = delete;
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;
  ~LocalCluster();

  [[nodiscard]] std::vector<std::string> client_addresses() const;
  [[nodiscard]] std::vector<std::string> http_addresses() const;
  // Memory that is resident now. 0: it does not run.
  [[nodiscard]] std::size_t resident_size_bytes(std::size_t index) const;
  void kill_hard(std::size_t index);  // SIGKILL, and waits for its end
  void start_again(std::size_t index);
  // User and system time of all nodes that run now.
  [[nodiscard]] std::chrono::milliseconds cpu_time() const;

 private:
  struct Node {
    std::uint16_t client_port = 0;
    std::uint16_t http_port = 0;
    std::vector<std::string> command;
    std::string log_path;
    pid_t pid = -1;
  };
  LocalCluster() = default;
  std::vector<Node> nodes_;
};

}  // namespace parley::bench
