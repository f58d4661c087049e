#include "load/local_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace parley::bench {
namespace {

// Ports below the range of outgoing connections, which also the ports that others ask the kernel for come
// from, and above those of the tests: a node that was killed finds its own free when it is started again.
constexpr unsigned kFirstPort = 30'000;
constexpr unsigned kPortsPerBlock = 100;
constexpr unsigned kBlocks = 27;

// The first port of a block that is this process's own until it ends.
std::optional<unsigned> take_block() {
  for (unsigned attempt = 0; attempt < kBlocks; ++attempt) {
    const unsigned block = (static_cast<unsigned>(::getpid()) + attempt) % kBlocks;
    const std::string path = fmt::format("/tmp/parley-bench-ports-{}.lock", block);
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0) {
      return kFirstPort + block * kPortsPerBlock;  // the file stays open, and the lock held with it
    }
    ::close(file);
  }
  return std::nullopt;
}

bool is_free(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return bound;
}

// Fewer than `count`: there are no more.
std::vector<std::uint16_t> free_ports(std::size_t count) {
  std::vector<std::uint16_t> ports;
  const auto first = take_block();
  for (unsigned i = 0; first && i < kPortsPerBlock && ports.size() < count; ++i) {
    const auto port = static_cast<std::uint16_t>(*first + i);
    if (is_free(port)) {
      ports.push_back(port);
    }
  }
  return ports;
}

pid_t spawn(const std::vector<std::string>& command, const std::string& log_path) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  return pid;
}

}  // namespace

std::expected<LocalCluster, std::string> LocalCluster::start(const std::string& program,
                                                             const std::string& folder, std::size_t nodes) {
  if (!std::filesystem::exists(program)) {
    return std::unexpected(fmt::format("there is no program {}", program));
  }
  const std::vector<std::uint16_t> ports = free_ports(nodes * 3);
  if (ports.size() != nodes * 3) {
    return std::unexpected("not enough free ports");
  }
  std::string peers;
  for (std::size_t i = 0; i < nodes; ++i) {
    peers += fmt::format("{}{}=127.0.0.1:{}", i == 0 ? "" : ",", i + 1, ports[3 * i + 1]);
  }
  LocalCluster cluster;
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::string data = fmt::format("{}/node-{}", folder, i + 1);
    std::filesystem::create_directories(folder);
    Node node;
    node.client_port = ports[3 * i];
    node.http_port = ports[3 * i + 2];
    node.log_path = data + ".log";
    node.command = {program,
                    "--id",
                    std::to_string(i + 1),
                    "--data",
                    data,
                    "--client",
                    fmt::format("127.0.0.1:{}", ports[3 * i]),
                    "--peer",
                    fmt::format("127.0.0.1:{}", ports[3 * i + 1]),
                    "--http",
                    fmt::format("127.0.0.1:{}", ports[3 * i + 2]),
                    "--cluster",
                    peers};
    node.pid = spawn(node.command, node.log_path);
    cluster.nodes_.push_back(std::move(node));
  }
  return cluster;
}

LocalCluster::~LocalCluster() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    kill_hard(i);
  }
}

std::vector<std::string> LocalCluster::client_addresses() const {
  std::vector<std::string> addresses;
  for (const Node& node : nodes_) {
    addresses.push_back(fmt::format("127.0.0.1:{}", node.client_port));
  }
  return addresses;
}

std::vector<std::string> LocalCluster::http_addresses() const {
  std::vector<std::string> addresses;
  for (const Node& node : nodes_) {
    addresses.push_back(fmt::format("127.0.0.1:{}", node.http_port));
  }
  return addresses;
}

std::size_t LocalCluster::resident_size_bytes(std::size_t index) const {
  std::ifstream file(fmt::format("/proc/{}/statm", nodes_.at(index).pid));
  std::size_t pages = 0;
  file >> pages >> pages;  // the second word: resident
  return file ? pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

void LocalCluster::kill_hard(std::size_t index) {
  pid_t& pid = nodes_.at(index).pid;
  if (pid > 0) {
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    pid = -1;
  }
}

void LocalCluster::start_again(std::size_t index) {
  Node& node = nodes_.at(index);
  node.pid = spawn(node.command, node.log_path);
}

std::chrono::milliseconds LocalCluster::cpu_time() const {
  long ticks = 0;
  for (const Node& node : nodes_) {
    std::ifstream file(fmt::format("/proc/{}/stat", node.pid));
    std::stringstream text;
    text << file.rdbuf();
    // utime and stime are the 12th and 13th words behind the name, which ends with the last ')'.
    const std::string all = text.str();
    std::istringstream words(all.substr(all.rfind(')') + 1));
    std::string word;
    for (int i = 1; i <= 13 && words >> word; ++i) {
      if (i >= 12) {
        ticks += std::stol(word);
      }
    }
  }
  return std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
}

}  // namespace parley::bench
