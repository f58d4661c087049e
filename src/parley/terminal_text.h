// People's text, made safe for a terminal: control sequences and what reorders or hides text are shown, not
// obeyed. Owned by: nobody. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace parley::cli {

// One line: C0 and C1 controls, ESC, DEL, bidirectional overrides, line separators, invisible and tag
// characters become \n, \x1b, \u{202e}; bytes that are no UTF-8 become \xNN.
[[nodiscard]] std::string terminal_line(std::string_view text);

// As above, but a line break goes on after `indent`, so that no text can pass for a line of ours.
[[nodiscard]] std::string terminal_block(std::string_view text, std::string_view indent);

// The same characters inside JSON strings become \uNNNN: it means the same, and can be shown.
[[nodiscard]] std::string terminal_json(std::string_view json);

[[nodiscard]] bool is_utf8(std::string_view text);
// Nothing, or white space alone (as Unicode has it).
[[nodiscard]] bool is_blank(std::string_view text);
// Bytes that are no UTF-8 become \xNN; everything else stays. For JSON, which has no other bytes.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace parley::cli
