#include "base/ensure.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace parley::base {
namespace {

constexpr int kPatience_ms = 500;  // with whoever reads stderr

// Ends the process where somebody else fills a shared pipe between poll and write, which then hangs.
void abort_in_a_while() {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGABRT;
  itimerspec once{};
  once.it_value.tv_sec = 5;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) {
    ::timer_settime(timer, 0, &once, nullptr);
  }
}

// Gives up where nobody takes it: what matters is that the process stops.
void print_last_words(std::string_view text) {
  while (!text.empty()) {
    pollfd file{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&file, 1, kPatience_ms) == 0) {
      return;
    }
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

void stop_process(std::string_view reason, std::source_location where) {
  abort_in_a_while();
  print_last_words("parley: stopped, a broken invariant: " + std::string(reason) + " (" + where.file_name() +
                   ":" + std::to_string(where.line()) + ")\n");
  std::abort();
}

}  // namespace parley::base
