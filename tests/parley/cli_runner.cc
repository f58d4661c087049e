#include "tests/parley/cli_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/ensure.h"

namespace parley::testing {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kLongest{2};

struct Pipe {
  Pipe() { base::ensure(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe"); }
  std::array<int, 2> ends{-1, -1};
  void close_end(std::size_t end) {
    if (ends[end] >= 0) {
      ::close(ends[end]);
      ends[end] = -1;
    }
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

// What happens while the program runs.
struct Watched {
  std::function<bool(const std::string& out)> until;  // `signal` is sent once, when this is so
  int signal = 0;
  CliRunner::OnErr on_err;
};

// One run of the program, its three streams being pipes.
class Child {
 public:
  Child(const std::vector<std::string>& arguments, const std::string& config_home) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments) {
      argv.push_back(
          const_cast<char*>(argument.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): execv
    }
    argv.push_back(nullptr);
    // Made here: between fork and exec a child of a program with threads must not allocate.
    std::vector<std::string> variables = {"XDG_CONFIG_HOME=" + config_home, "TZ=UTC"};
    std::vector<char*> environment;
    for (std::string& variable : variables) {
      environment.push_back(variable.data());
    }
    for (char** variable = environ; *variable != nullptr; ++variable) {
      environment.push_back(*variable);
    }
    environment.push_back(nullptr);
    pid_ = ::fork();
    base::ensure(pid_ >= 0, "a child");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setsid();  // no terminal: it cannot ask anybody
      ::dup2(in_.ends[0], STDIN_FILENO);
      ::dup2(out_.ends[1], STDOUT_FILENO);
      ::dup2(err_.ends[1], STDERR_FILENO);
      ::execvpe(argv[0], argv.data(), environment.data());
      ::_exit(127);
    }
    in_.close_end(0);
    out_.close_end(1);
    err_.close_end(1);
    ::fcntl(in_.ends[1], F_SETFL, O_NONBLOCK);
  }

  CliResult wait(std::string input, const Watched& watched) {
    const auto deadline = steady_clock::now() + kLongest;
    CliResult result;
    bool signalled = false;
    while ((out_.ends[0] >= 0 || err_.ends[0] >= 0) && steady_clock::now() < deadline) {
      if (input.empty()) {
        in_.close_end(1);
      }
      std::array<pollfd, 3> files = {pollfd{.fd = out_.ends[0], .events = POLLIN, .revents = 0},
                                     pollfd{.fd = err_.ends[0], .events = POLLIN, .revents = 0},
                                     pollfd{.fd = in_.ends[1], .events = POLLOUT, .revents = 0}};
      ::poll(files.data(), files.size(), 100);
      read_some(out_, files[0], result.out);
      const std::size_t told_bytes = result.err.size();
      read_some(err_, files[1], result.err);
      if (watched.on_err && result.err.size() != told_bytes) {
        watched.on_err(result.err);
      }
      write_some(files[2], input);
      if (watched.until && !signalled && watched.until(result.out)) {
        signalled = true;
        ::kill(pid_, watched.signal);
      }
    }
    if (steady_clock::now() >= deadline) {
      ::kill(pid_, SIGKILL);
      result.err += "\n(killed by the test: it took too long)";
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return result;
  }

 private:
  static void read_some(Pipe& pipe, const pollfd& polled, std::string& into) {
    if (polled.revents == 0) {
      return;
    }
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(polled.fd, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      pipe.close_end(0);
    }
  }
  void write_some(const pollfd& polled, std::string& input) {
    if (polled.revents == 0 || input.empty()) {
      return;
    }
    const ssize_t written = ::write(polled.fd, input.data(), input.size());
    if (written > 0) {
      input.erase(0, static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      input.clear();
    }
  }

  Pipe in_;
  Pipe out_;
  Pipe err_;
  pid_t pid_ = -1;
};

CliResult run_program(const std::vector<std::string>& arguments, const CliRunner& runner,
                      const std::string& input, const Watched& watched) {
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> all = runner.wrapper();
  all.push_back(program("parley").string());
  if (!runner.servers().empty()) {
    all.insert(all.end(), {"--servers", runner.servers()});
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  return Child(all, runner.config_home().string()).wait(input, watched);
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = "/tmp/parley-test-XXXXXX";
  base::ensure(::mkdtemp(name.data()) != nullptr, "a temporary folder");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::filesystem::path program(const std::string& name) {
  const char* const folder = std::getenv("PARLEY_BINARY_DIR");
  base::ensure(folder != nullptr, "PARLEY_BINARY_DIR says where the programs are (ctest sets it)");
  return std::filesystem::path(folder) / name;
}

CliRunner::CliRunner(std::string servers) : servers_(std::move(servers)) {}

CliResult CliRunner::run(const std::vector<std::string>& arguments, const std::string& input) const {
  return run_program(arguments, *this, input, {});
}

CliResult CliRunner::run_until(const std::vector<std::string>& arguments, const std::string& until,
                               int signal) const {
  const auto is_said = [&until](const std::string& out) { return out.contains(until); };
  return run_program(arguments, *this, {}, {.until = is_said, .signal = signal});
}

CliResult CliRunner::run_signalled(const std::vector<std::string>& arguments, int signal,
                                   const std::function<bool()>& is_time, const std::string& input) const {
  const auto until = [&is_time](const std::string&) { return is_time(); };
  return run_program(arguments, *this, input, {.until = until, .signal = signal});
}

CliResult CliRunner::run_watched(const std::vector<std::string>& arguments, const std::string& input,
                                 const OnErr& on_err) const {
  return run_program(arguments, *this, input, {.on_err = on_err});
}

}  // namespace parley::testing
