#include "parley/interruption.h"

#include <poll.h>

#include <array>
#include <csignal>

namespace parley::cli {

void die_of(int signal) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  std::signal(signal, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::raise(signal);
}

Interruption::Interruption() : signal_(std::make_shared<std::atomic<int>>(0)) {
  thread_ = std::thread([this] {
    std::array<pollfd, 2> files = {pollfd{.fd = signals_.file(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = end_.file(), .events = POLLIN, .revents = 0}};
    while (files[1].revents == 0) {
      ::poll(files.data(), files.size(), -1);
      take_all();
    }
  });
}

Interruption::~Interruption() {
  end_.post([] {});
  thread_.join();
  take_all();  // one that is still there would kill before the outcome is told
}

void Interruption::take_all() {
  while (const auto signal = signals_.take()) {
    if (*signal == SIGWINCH) {
      continue;
    }
    int none = 0;
    if (!signal_->compare_exchange_strong(none, *signal) || ends_at_once_) {
      die_of(*signal);
    }
    stop_.request_stop();
  }
}

}  // namespace parley::cli
