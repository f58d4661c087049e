#include "parley/password.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/limits.h"
#include "parley/exit_code.h"
#include "parley/input.h"

namespace parley::cli {
namespace {

// One byte at a time: what follows the line belongs to somebody else. Of a line that is too long, enough to
// see that. Nothing: no line, or a signal came.
std::optional<std::string> read_line(int file) {
  std::string line;
  while (line.size() <= base::kMaxPasswordBytes) {
    char c = 0;
    const ssize_t got = ::read(file, &c, 1);
    if (got < 0 || (got == 0 && line.empty())) {
      return std::nullopt;
    }
    if (got == 0 || c == '\n') {
      return line;
    }
    line.push_back(c);
  }
  return line;
}

base::Result<std::string> checked_password(std::string password) {
  if (const auto good = check_password(password); !good) {
    return std::unexpected(good.error());
  }
  return password;
}

// The terminal without echo. Ctrl-C only ends the reading, so that echo always comes back.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    struct sigaction end_reading{};
    end_reading.sa_handler = [](int) {};
    ::sigaction(SIGINT, &end_reading, &old_action_);
    ::tcgetattr(terminal_, &old_mode_);
    termios mode = old_mode_;
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    mode.c_lflag |= static_cast<tcflag_t>(ICANON | ECHONL);
    ::tcsetattr(terminal_, TCSAFLUSH, &mode);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    ::tcsetattr(terminal_, TCSAFLUSH, &old_mode_);
    ::sigaction(SIGINT, &old_action_, nullptr);
  }

 private:
  int terminal_;
  termios old_mode_{};
  struct sigaction old_action_{};
};

void say(int terminal, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(terminal, text.data(), text.size());
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

base::Result<std::string> read_password(PasswordFrom from, const std::string& prompt) {
  if (from == PasswordFrom::standard_input) {
    auto line = read_line(STDIN_FILENO);
    if (!line) {
      return std::unexpected(usage_error("standard input holds no line with a password"));
    }
    return checked_password(*std::move(line));
  }
  const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) {
    return std::unexpected(usage_error("there is no terminal to ask for the password; use --password-stdin"));
  }
  std::optional<std::string> line;
  {
    const Silence silence(terminal);
    say(terminal, prompt);
    line = read_line(terminal);
    if (!line) {
      say(terminal, "\n");
    }
  }
  ::close(terminal);
  if (!line) {
    return std::unexpected(usage_error("no password was given"));
  }
  return checked_password(*std::move(line));
}

base::Result<std::string> read_new_password(PasswordFrom from, const std::string& prompt) {
  auto password = read_password(from, prompt);
  if (!password || from == PasswordFrom::standard_input) {
    return password;
  }
  const auto again = read_password(from, "The same again: ");
  if (!again) {
    return again;
  }
  if (*again != *password) {
    return std::unexpected(usage_error("the two passwords differ"));
  }
  return password;
}

}  // namespace parley::cli
