#include "parley/demo/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace parley::demo {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::array kFatal = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

// What a handler of a fatal signal needs: it is given no argument, and there is one terminal.
termios& terminal_before() {
  static termios before;
  return before;
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void give_back(const termios& before) {
  write_all(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void on_fatal(int signal) {
  give_back(terminal_before());
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

bool Screen::is_possible() {
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && kind != nullptr &&
         std::string_view(kind) != "dumb";
}

Screen::Screen() : color_(std::getenv("NO_COLOR") == nullptr) {
  ::tcgetattr(STDIN_FILENO, &before_);
  terminal_before() = before_;
  for (const int signal : kFatal) {
    std::signal(signal, on_fatal);
  }
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a demo that is stopped would leave its screen and its nodes behind
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  write_all(kEnter);
}

Screen::~Screen() {
  give_back(before_);
  for (const int signal : kFatal) {
    std::signal(signal, SIG_DFL);
  }
}

ScreenSize Screen::size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) {
    return {};
  }
  return {.columns = window.ws_col, .rows = window.ws_row};
}

void Screen::draw(const std::vector<StyledLine>& lines, const ScreenSize& size) {
  const bool same_size = shown_size_.columns == size.columns && shown_size_.rows == size.rows;
  std::string text = same_size ? "\x1b[H" : "\x1b[2J\x1b[H";
  shown_size_ = size;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += render(lines[i], size.columns, color_);
    text += i + 1 < lines.size() ? "\x1b[K\r\n" : "\x1b[K";
  }
  text += "\x1b[J";
  if (text != shown_) {
    write_all(text);
    shown_ = std::move(text);
  }
}

std::optional<char> Screen::key() {
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 ? std::optional(key) : std::nullopt;
}

}  // namespace parley::demo
