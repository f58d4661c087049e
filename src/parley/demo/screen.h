// Screen: the terminal while the demo draws on it: a screen of its own, no echo, single keys. The terminal is
// given back as it was when this goes, and also when the program dies of a fault of its own.
// Owned by: Demo. There is one terminal, so there is one Screen at a time. The main thread.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "parley/demo/picture.h"
#include "parley/demo/styled.h"

namespace parley::demo {

class Screen {
 public:
  // Standard input and output have to be a terminal.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] static bool is_possible();
  [[nodiscard]] static ScreenSize size();
  // In place of what was there, in one write.
  void draw(const std::vector<StyledLine>& lines, const ScreenSize& size);
  // The next key that was pressed, without waiting.
  [[nodiscard]] std::optional<char> key();

 private:
  termios before_{};
  bool color_;
  std::string shown_;
  ScreenSize shown_size_{.columns = 0, .rows = 0};
};

}  // namespace parley::demo
