// Signals: SIGINT, SIGTERM, SIGHUP and SIGWINCH as a file that can be polled beside others.
// Owned by: an interactive command, or an Interruption, which makes it before any thread is started. They
// nest.
#pragma once

#include <csignal>
#include <optional>

namespace parley::cli {

class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int file() const { return file_; }
  // The next signal that came, without waiting.
  [[nodiscard]] std::optional<int> take() const;

 private:
  sigset_t before_{};  // what was blocked
  int file_ = -1;
};

}  // namespace parley::cli
