#include "tests/process/doc_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/ensure.h"

namespace parley::testing {
namespace {

constexpr std::string_view kPrompt = "$ ";
constexpr std::string_view kFence = "```";
constexpr std::string_view kAnything = "…";

// The block that begins behind `line` of the page.
void read_block(const std::vector<std::string>& block, int line, DocPage& page) {
  if (!block.front().starts_with(kPrompt)) {
    page.complaints.push_back(fmt::format("line {}: a block that is run begins with \"$ \"", line + 1));
    return;
  }
  bool goes_on = false;
  for (const std::string& text : block) {
    ++line;
    if (goes_on) {
      page.commands.back().text += text + "\n";
    } else if (text.starts_with(kPrompt)) {
      page.commands.push_back({.line = line, .text = text.substr(kPrompt.size()) + "\n"});
    } else {
      page.commands.back().output += text + "\n";
      continue;
    }
    goes_on = text.ends_with('\\');
  }
}

// What may differ is made alike, and white space goes.
std::string shape_of(const std::string& text) {
  const std::regex time(R"("\d{4}-\d\d-\d\dT[\d:.]+Z")");
  const std::regex uuid(R"("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")");
  const std::regex figures(R"("\d+")");
  const std::regex age(R"("ageMs":\d+)");
  std::string shape;
  std::ranges::copy_if(text, std::back_inserter(shape), [](char at) { return at > ' ' || at < 0; });
  shape = std::regex_replace(shape, time, "\"TIME\"");
  shape = std::regex_replace(shape, uuid, "\"UUID\"");
  shape = std::regex_replace(shape, figures, "\"0\"");
  return std::regex_replace(shape, age, "\"ageMs\":0");
}

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

DocPage read_doc_page(const std::string& markdown, std::string_view word) {
  DocPage page;
  std::istringstream lines(markdown);
  std::vector<std::string> block;
  bool is_block = false;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.starts_with(kFence)) {
      if (is_block) {
        block.push_back(line);
      }
      continue;
    }
    if (is_block && std::ranges::any_of(block, [word](const auto& text) { return text.contains(word); })) {
      read_block(block, number - 1 - static_cast<int>(block.size()), page);
    }
    is_block = !is_block;
    block.clear();
  }
  return page;
}

std::vector<std::string> run_doc_commands(const std::vector<DocCommand>& commands,
                                          const std::filesystem::path& folder) {
  const auto file = [&folder](std::size_t number) { return folder / fmt::format("output-{}", number); };
  const auto script = folder / "session.sh";
  {
    std::ofstream out(script);
    for (std::size_t i = 0; i < commands.size(); ++i) {
      out << "{ " << commands[i].text << "} >" << file(i).string() << " 2>&1 </dev/null\n";
    }
  }
  const std::string bash = fmt::format("cd {} && bash {}", folder.string(), script.string());
  // NOLINTNEXTLINE(bugprone-command-processor): it is a shell's session
  [[maybe_unused]] const int status = std::system(bash.c_str());
  std::vector<std::string> printed;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    printed.push_back(read_file(file(i)));
  }
  return printed;
}

bool is_as_documented(const std::string& documented, const std::string& printed) {
  const std::string wanted = shape_of(documented);
  const std::string got = shape_of(printed);
  // Piece by piece between the places where anything may stand: the first at the start, the last at the end.
  std::size_t at = 0;
  std::size_t from = 0;
  while (true) {
    const std::size_t to = wanted.find(kAnything, from);
    const std::string_view piece = std::string_view(wanted).substr(from, to - from);
    if (to == std::string::npos) {
      return from == 0 ? got == wanted : got.size() >= at + piece.size() && got.ends_with(piece);
    }
    const std::size_t found = got.find(piece, at);
    if (found == std::string::npos || (from == 0 && found != 0)) {
      return false;
    }
    at = found + piece.size();
    from = to + kAnything.size();
  }
}

}  // namespace parley::testing
