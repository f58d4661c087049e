// LogWriter: the lines of the log on their way to stderr, so that nobody who logs waits for who reads them: a
// terminal that is stopped, a pipe that is full. A bounded queue, "log lines", in front of one thread that
// writes. What finds no room is lost, and a line says how many were. Owned by: the logger and LogLines. push,
// wait_until_written: any thread; end: that of LogLines.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace parley::parleyd {

struct LogWriterOptions {
  int file = -1;  // a copy of it is kept open as long as the writer may write
  // Of what is on its way: in the queue and being written.
  std::size_t max_lines = 8'192;
  std::size_t max_bytes = 4'194'304;
  // What to write, with its end of line, where so many lines were lost.
  std::function<std::string(std::uint64_t lost)> lost_line;
};

class LogWriter {
 public:
  explicit LogWriter(LogWriterOptions options);
  ~LogWriter();  // waits for nobody: see end()
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` has its end of line. Never waits.
  void push(std::string_view line);

  // True: nothing is on its way. False: that is not so after `limit`.
  [[nodiscard]] bool wait_until_written(std::chrono::milliseconds limit);

  // Takes no more lines, and waits for those on their way. False: they were not taken within `limit`; the
  // thread, which may hang in a write for ever, is left to itself with all that it needs.
  bool end(std::chrono::milliseconds limit);

 private:
  class Queue;

  const std::shared_ptr<Queue> queue_;
  std::thread thread_;
};

}  // namespace parley::parleyd
