// DocSession: the terminal sessions of a page of the docs, read from it, and run as they stand there.
// Owned by: a test.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::testing {

struct DocCommand {
  int line = 0;        // of the page
  std::string text;    // all its lines
  std::string output;  // what the page says comes back
};

struct DocPage {
  std::vector<DocCommand> commands;     // of every block in which `word` occurs, in order
  std::vector<std::string> complaints;  // blocks that cannot be run
};

// A session is a fenced block: what follows "$ " is a command, which goes on where a line ends in a
// backslash; the lines up to the next one are its output.
[[nodiscard]] DocPage read_doc_page(const std::string& markdown, std::string_view word);

// One bash runs all of them, so that variables stay; in `folder`, without input. What each printed, its
// errors included.
[[nodiscard]] std::vector<std::string> run_doc_commands(const std::vector<DocCommand>& commands,
                                                        const std::filesystem::path& folder);

// White space does not matter, nor which figures, UUID or time a string of JSON consists of, nor an age. "…"
// stands for anything.
[[nodiscard]] bool is_as_documented(const std::string& documented, const std::string& printed);

}  // namespace parley::testing
