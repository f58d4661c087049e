// Mailbox: work for the main thread, posted by others; it has a file that can be polled beside a terminal.
// Owned by: an interactive command. post() from any thread, run_all() from the main thread.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace parley::cli {

class Mailbox {
 public:
  using Work = std::function<void()>;

  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  [[nodiscard]] int file() const { return file_; }
  // Dropped after close().
  void post(Work work);
  // Runs, in order, everything that was posted.
  void run_all();
  void close();

 private:
  int file_;
  std::mutex mutex_;
  std::vector<Work> work_;
  bool closed_ = false;
};

}  // namespace parley::cli
