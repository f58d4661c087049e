#include "parleyd/process.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace parley::parleyd {
namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void prepare_process() {
  umask(077);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads begun later inherit it
}

int wait_for_stop() {
  const sigset_t signals = stop_signals();
  int number = 0;
  sigwait(&signals, &number);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return number;
}

}  // namespace parley::parleyd
