#include "tests/process/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::testing {

Process::Process(const std::vector<std::string>& command, const std::filesystem::path& log) : pid_(-1) {
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

bool Process::is_running() {
  if (!ended_) {
    ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  }
  return !ended_;
}

bool Process::wait_for_end(std::chrono::milliseconds limit) {
  return wait_until([this] { return !is_running(); }, limit, std::chrono::milliseconds(2));
}

std::uint16_t free_port() {
  // Below the range of outgoing connections; far apart for tests that run at the same time.
  static std::atomic<unsigned> next = 0;
  constexpr unsigned kFirst = 12'000;
  constexpr unsigned kCount = 18'000;
  for (unsigned attempt = 0; attempt < kCount; ++attempt) {
    const unsigned port = kFirst + (static_cast<unsigned>(::getpid()) * 61U + next++) % kCount;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    ::close(socket);
    if (is_free) {
      return static_cast<std::uint16_t>(port);
    }
  }
  base::stop_process("there is a free port");
}

}  // namespace parley::testing
