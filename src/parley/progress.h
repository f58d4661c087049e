// Progress: one line on a terminal while something takes long, nothing anywhere else; and what takes long can
// be interrupted. Owned by: the command that runs; its thread draws, any thread may clear and redraw around
// its own output.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "parley/interruption.h"

namespace parley::cli {

class Progress {
 public:
  // Shows "`what` … 3 s" on stderr after a second, if stderr is a terminal.
  explicit Progress(std::string what);
  ~Progress();  // as end()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void set(std::string what);
  // Prints a line of trouble to stderr, above the progress line.
  void say(const std::string& line);
  // `print` prints above the progress line too, and is no part of what is told when it is interrupted.
  void above(const std::function<void()>& print);
  [[nodiscard]] const Interruption& interruption() const { return *interruption_; }
  // Takes the line away for good, and signals are as before: what comes next is the result.
  void end();

 private:
  void draw(long seconds);
  void clear();

  std::optional<Interruption> interruption_{std::in_place};  // before any thread; until end()
  const bool on_terminal_;
  std::mutex mutex_;
  std::string what_;
  bool drawn_ = false;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace parley::cli
