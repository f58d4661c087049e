#include "parley/demo/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace parley::demo {
namespace {

// Between fork and exec: only what is safe there. `parent`: whom it is to die with.
[[noreturn]] void become(char* const* argv, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {  // it had ended before the line above
    ::_exit(127);
  }
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close(STDIN_FILENO);
  ::open("/dev/null", O_RDONLY);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

std::expected<pid_t, std::string> spawn(const std::vector<std::string>& command, int output) {
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  if (id == 0) {
    become(argv.data(), output, parent);
  }
  if (id < 0) {
    return std::unexpected(fmt::format("cannot start {}: {}", command.front(), std::strerror(errno)));
  }
  return id;
}

}  // namespace

std::expected<Child, std::string> Child::start(const std::vector<std::string>& command,
                                               const std::filesystem::path& log) {
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) {
    return std::unexpected(fmt::format("cannot write {}: {}", log.string(), std::strerror(errno)));
  }
  const auto id = spawn(command, output);
  ::close(output);
  if (!id) {
    return std::unexpected(id.error());
  }
  return Child(*id);
}

Child::Child(Child&& from) noexcept : id_(std::exchange(from.id_, -1)), status_(from.status_) {}

Child& Child::operator=(Child&& from) noexcept {
  if (this != &from) {
    end();
    id_ = std::exchange(from.id_, -1);
    status_ = from.status_;
  }
  return *this;
}

Child::~Child() { end(); }

void Child::end() {
  if (id_ > 0 && !ended()) {
    send(SIGKILL);
    wait();
  }
}

// A child that was waited for is gone, and its id may be somebody else's.
void Child::send(int signal) const {
  if (id_ > 0 && !status_) {
    ::kill(id_, signal);
  }
}

void Child::freeze() const {
  if (id_ <= 0 || status_) {
    return;
  }
  send(SIGSTOP);
  siginfo_t stopped{};
  while (::waitid(P_PID, static_cast<id_t>(id_), &stopped, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

std::optional<int> Child::ended() {
  int status = 0;
  if (!status_ && id_ > 0 && ::waitpid(id_, &status, WNOHANG) == id_) {
    status_ = status;
  }
  return status_;
}

int Child::wait() {
  int status = 0;
  while (!status_) {
    const pid_t got = ::waitpid(id_, &status, 0);
    if (got == id_ || (got < 0 && errno != EINTR)) {
      status_ = status;
    }
  }
  return *status_;
}

std::expected<void, std::string> run_command(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::unexpected(std::string("no pipe: ") + std::strerror(errno));
  }
  const auto id = spawn(command, ends[1]);
  ::close(ends[1]);
  std::string said;
  std::array<char, 4096> buffer{};
  while (id) {
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got <= 0) {
      break;
    }
    said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  if (!id) {
    return std::unexpected(id.error());
  }
  int status = 0;
  while (::waitpid(*id, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  return std::unexpected(fmt::format("\"{}\" failed: {}", fmt::join(command, " "), said));
}

}  // namespace parley::demo
