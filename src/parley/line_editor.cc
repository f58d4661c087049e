#include "parley/line_editor.h"

// readline's headers want this one first.
#include <cstdio>
// clang-format off
#include <readline/readline.h>
#include <readline/history.h>
// clang-format on

#include <cstdlib>
#include <utility>

#include "base/ensure.h"

namespace parley::cli {
namespace {

// readline calls a plain function and keeps its state in globals: this is the one that belongs to us.
LineEditor*& the_editor() {
  static LineEditor* editor = nullptr;
  return editor;
}

// The line that was just entered is taken away again if it filled one row: what becomes of it is told
// instead.
void erase_entered_row(const std::string& prompt, const std::string& line) {
  int rows = 0;
  int columns = 0;
  rl_get_screen_size(&rows, &columns);
  const bool fits = prompt.size() + line.size() < static_cast<std::size_t>(columns > 0 ? columns : 0);
  if (fits && line.find('\n') == std::string::npos) {
    std::fputs("\x1b[1A\r\x1b[2K", stdout);
    std::fflush(stdout);
  }
}

}  // namespace

LineEditor::LineEditor(std::string prompt, OnLine on_line)
    : prompt_(std::move(prompt)), on_line_(std::move(on_line)) {
  base::ensure(the_editor() == nullptr, "there is one terminal and one line editor");
  the_editor() = this;
  rl_catch_signals = 0;
  rl_catch_sigwinch = 0;
  rl_bind_key('\t', rl_insert);  // names of files are no help here
  rl_callback_handler_install(prompt_.c_str(), line_handler);
}

LineEditor::~LineEditor() {
  rl_clear_visible_line();
  rl_callback_handler_remove();
  std::fflush(stdout);
  the_editor() = nullptr;
}

// static
void LineEditor::line_handler(char* line) {
  std::optional<std::string> text;
  if (line != nullptr) {
    text = line;
    std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): readline allocated it so
  }
  the_editor()->entered(std::move(text));
}

void LineEditor::entered(std::optional<std::string> line) {
  if (line && !line->empty()) {
    add_history(line->c_str());
  }
  if (line) {
    erase_entered_row(prompt_, *line);
  }
  line_is_shown_ = false;
  on_line_(std::move(line));
  line_is_shown_ = true;
}

void LineEditor::on_readable() { rl_callback_read_char(); }

void LineEditor::on_resize() { rl_resize_terminal(); }

void LineEditor::print_above(std::string_view text) const {
  if (line_is_shown_) {
    rl_clear_visible_line();
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
  if (line_is_shown_) {
    rl_on_new_line();
    rl_redisplay();
  }
}

}  // namespace parley::cli
