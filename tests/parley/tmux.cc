#include "tests/parley/tmux.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

std::string next_socket() {
  static std::atomic<int> count = 0;
  return fmt::format("parley-test-{}-{}", ::getpid(), ++count);
}

}  // namespace

Tmux::Tmux(const std::string& command, int columns, int rows) : socket_(next_socket()) {
  // The pane stays when its program ends, so that its last words can be read.
  [[maybe_unused]] const std::string out =
      tmux(fmt::format("-f /dev/null new-session -d -x {} -y {} {} \\; set-option -g remain-on-exit on",
                       columns, rows, quoted(command)));
}

Tmux::~Tmux() { [[maybe_unused]] const std::string out = tmux("kill-server"); }

std::string Tmux::tmux(const std::string& arguments) const {
  const std::string command = fmt::format("LC_ALL=C.UTF-8 tmux -L {} {} 2>&1", socket_, arguments);
  std::FILE* const pipe = ::popen(command.c_str(), "re");
  base::ensure(pipe != nullptr, "tmux can be started");
  std::string out;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.append(buffer.data(), got);
  }
  ::pclose(pipe);
  return out;
}

void Tmux::type(const std::string& text) const {
  [[maybe_unused]] auto out = tmux("send-keys -l -- " + quoted(text));
}
void Tmux::press(const std::string& key) const { [[maybe_unused]] auto out = tmux("send-keys " + key); }
std::string Tmux::screen() const { return tmux("capture-pane -p"); }

std::string Tmux::last_line() const {
  std::string text = screen();
  text.erase(text.find_last_not_of(" \n") + 1);
  const auto line_break = text.rfind('\n');
  return line_break == std::string::npos ? text : text.substr(line_break + 1);
}

bool Tmux::wait_until(const std::function<bool(const std::string&)>& wanted) const {
  return testing::wait_until([&] { return wanted(screen()); });
}

bool Tmux::wait_for(const std::string& text) const {
  return wait_until([&text](const std::string& screen) { return screen.contains(text); });
}

}  // namespace parley::testing
