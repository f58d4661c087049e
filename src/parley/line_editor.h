// LineEditor: one line being typed at the bottom of the terminal, and text that appears above it while it is.
// readline by its callback interface: nothing blocks. There is one terminal, so there is one editor at a
// time. Owned by: an interactive command. The main thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace parley::cli {

class LineEditor {
 public:
  // `on_line` is given each line that was entered; nothing: the end of input (Ctrl-D on an empty line).
  using OnLine = std::function<void(std::optional<std::string>)>;

  LineEditor(std::string prompt, OnLine on_line);
  ~LineEditor();  // gives the terminal back as it was
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Standard input has something to read.
  void on_readable();
  void on_resize();
  // Prints lines above the one that is being typed, which stays as it is.
  void print_above(std::string_view text) const;

 private:
  static void line_handler(char* line);
  void entered(std::optional<std::string> line);

  std::string prompt_;
  OnLine on_line_;
  bool line_is_shown_ = true;  // not while an entered line is being handled
};

}  // namespace parley::cli
