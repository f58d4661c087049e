// Tmux: a terminal that a test types into and reads. Its server is its own: no other session is touched.
// Owned by: a test.
#pragma once

#include <functional>
#include <string>

namespace parley::testing {

class Tmux {
 public:
  // Runs `command` (a shell command) in a terminal of `columns` by `rows`.
  Tmux(const std::string& command, int columns, int rows);
  ~Tmux();
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  void type(const std::string& text) const;     // as typed, without Enter
  void press(const std::string& key) const;     // tmux's name of it: Enter, Left, C-c
  [[nodiscard]] std::string screen() const;     // its lines, without blanks at their ends
  [[nodiscard]] std::string last_line() const;  // the last that is not empty
  // Waits until the screen is as `wanted` says; false after a minute.
  [[nodiscard]] bool wait_until(const std::function<bool(const std::string& screen)>& wanted) const;
  [[nodiscard]] bool wait_for(const std::string& text) const;

 private:
  [[nodiscard]] std::string tmux(const std::string& arguments) const;
  std::string socket_;
};

}  // namespace parley::testing
