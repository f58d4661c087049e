#include "parley/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace parley::cli {

Progress::Progress(std::string what) : on_terminal_(::isatty(STDERR_FILENO) == 1), what_(std::move(what)) {
  if (!on_terminal_) {
    return;
  }
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (long seconds = 1; !stop.stop_requested(); ++seconds) {
      changed_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
      if (!stop.stop_requested()) {
        draw(seconds);
      }
    }
  });
}

Progress::~Progress() { end(); }

void Progress::end() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  clear();
  interruption_.reset();
}

void Progress::set(std::string what) {
  const std::scoped_lock lock(mutex_);
  what_ = std::move(what);
}

void Progress::say(const std::string& line) {
  const std::scoped_lock lock(mutex_);
  clear();
  std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
}

void Progress::above(const std::function<void()>& print) {
  const std::scoped_lock lock(mutex_);
  clear();
  interruption_->ends_at_once(true);
  print();
  interruption_->ends_at_once(false);
}

void Progress::draw(long seconds) {
  std::fprintf(stderr, "\r\x1b[K%s ... %ld s", what_.c_str(), seconds);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
  }
}

}  // namespace parley::cli
