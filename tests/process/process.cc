#include "tests/process/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::testing {

Process::Process(const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): execvp
  }
  argv.push_back(nullptr);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  base::ensure(out >= 0, "a log file can be made");
  pid_ = ::fork();
  base::ensure(pid_ >= 0, "a process can be started");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGINT, SIG_DFL);  // as from a terminal, also where the test runs in the background
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::close(STDIN_FILENO);
    ::open("/dev/null", O_RDONLY);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(out);
}

Process::~Process() {
  if (is_running()) {
    send_signal(SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
}

void Process::send_signal(int signal) const { ::kill(pid_, signal); }

void Process::freeze() const {
  send_signal(SIGSTOP);
  siginfo_t stopped{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

bool Process::is_running() {
  if (!ended_) {
    ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  }
  return !ended_;
}

bool Process::wait_for_end(std::chrono::milliseconds limit) {
  return wait_until([this] { return !is_running(); }, limit, std::chrono::milliseconds(2));
}

namespace {

// Ports below the range of outgoing connections, in blocks that are this process's own until it ends: a node
// that a suite has stopped finds its port free when it is started again, whatever else is tested at the same
// time.
constexpr unsigned kFirstPort = 12'000;
constexpr unsigned kPortsPerBlock = 300;
constexpr unsigned kBlocks = 60;

unsigned take_block() {
  for (unsigned attempt = 0; attempt < kBlocks; ++attempt) {
    const unsigned block = (static_cast<unsigned>(::getpid()) + attempt) % kBlocks;
    const std::string path = fmt::format("/tmp/parley-test-ports-{}.lock", block);
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0) {
      return block;  // the file stays open, and with it the lock held, until the process ends
    }
    ::close(file);
  }
  base::stop_process("a block of ports is free for this test");
}

bool is_free(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(socket);
  return bound;
}

}  // namespace

std::uint16_t free_port() {
  static const unsigned block = take_block();
  static std::atomic<unsigned> next = 0;
  for (unsigned attempt = 0; attempt < kPortsPerBlock; ++attempt) {
    const auto port =
        static_cast<std::uint16_t>(kFirstPort + block * kPortsPerBlock + next++ % kPortsPerBlock);
    if (is_free(port)) {
      return port;
    }
  }
  base::stop_process("there is a free port");
}

}  // namespace parley::testing
