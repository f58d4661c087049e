#include "parley/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/ensure.h"

namespace parley::cli {
namespace {

sigset_t our_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
    // What nohup or a shell has made this program ignore stays ignored: blocked, it would be kept for the
    // file.
    struct sigaction now{};
    ::sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_IGN) {
      ::sigaddset(&set, signal);
    }
  }
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  file_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  base::ensure(file_ >= 0, "signals can be read");
}

Signals::~Signals() {
  ::close(file_);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::take() const {
  signalfd_siginfo info{};
  if (::read(file_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) {
    return std::nullopt;
  }
  return static_cast<int>(info.ssi_signo);
}

}  // namespace parley::cli
