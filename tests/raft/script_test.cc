// Golden scripts: testdata/*.txt, each a scenario of commands with the exact answers (commands:
// script_world.cc).
//
//   # a comment
//   propose 1 hello
//   output 1
//   ----
//   n1 output:
//     ...
//
// A blank line ends the answer. PARLEY_REWRITE=1 writes the answers anew: read the difference before you
// believe it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "script_world.h"

namespace parley::raft::testing {
namespace {

std::filesystem::path testdata() { return std::filesystem::path(PARLEY_RAFT_TESTDATA); }

std::vector<std::string> scenario_names() {
  std::vector<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(testdata())) {
    if (file.path().extension() == ".txt") found.push_back(file.path().stem().string());
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The script with the answers that it gives now.
std::string play(const std::vector<std::string>& lines) {
  ScriptWorld world;
  std::string played;
  std::vector<std::string> commands;
  bool in_answer = false;
  for (const std::string& line : lines) {
    if (in_answer) {
      if (!line.empty()) continue;
      in_answer = false;
    }
    played += line + "\n";
    if (line == "----") {
      std::string answer;
      for (const std::string& command : commands) answer += world.run(command);
      played += answer.empty() ? "ok\n" : answer;
      commands.clear();
      in_answer = true;
    } else if (!line.empty() && line.front() != '#') {
      commands.push_back(line);
    }
  }
  EXPECT_TRUE(commands.empty()) << "commands without ----";
  return played;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class Script : public ::testing::TestWithParam<std::string> {};

TEST_P(Script, answers_exactly) {
  const std::filesystem::path path = testdata() / (GetParam() + ".txt");
  const std::vector<std::string> lines = lines_of(path);
  // A last blank line is not seen by getline; playing must end the last answer as the file does.
  const std::string played = play(lines);
  EXPECT_EQ(played.find("BROKEN"), std::string::npos) << played;
  if (std::getenv("PARLEY_REWRITE") != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    std::ofstream(path) << played;
    return;
  }
  EXPECT_EQ(joined(lines), played);
}

INSTANTIATE_TEST_SUITE_P(All, Script, ::testing::ValuesIn(scenario_names()),
                         [](const auto& scenario) { return scenario.param; });

}  // namespace
}  // namespace parley::raft::testing
