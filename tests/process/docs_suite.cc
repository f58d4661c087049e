// The examples of the docs with curl, run as they stand there against a real cluster: what comes back is what
// the page says. A page that has rotted fails.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/ensure.h"
#include "tests/parley/cli_runner.h"
#include "tests/process/cluster.h"
#include "tests/process/doc_session.h"

namespace parley::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kFirstHttpPort = 8080;  // of the pages

std::vector<fs::path> pages() {
  const char* const source = std::getenv("PARLEY_SOURCE_DIR");  // NOLINT(concurrency-mt-unsafe): one thread
  base::ensure(source != nullptr, "ctest names the source folder");
  std::vector<fs::path> pages = {fs::path(source) / "README.md", fs::path(source) / "CONTRIBUTING.md"};
  for (const auto& entry : fs::directory_iterator(fs::path(source) / "docs")) {
    if (entry.path().extension() == ".md") {
      pages.push_back(entry.path());
    }
  }
  return pages;
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The pages name the ports of `./dev run`.
std::string with_ports_of(const Cluster& cluster, std::string text) {
  for (const int node : cluster.ids()) {
    const std::string documented = fmt::format("localhost:{}", kFirstHttpPort + node - 1);
    const std::string real = fmt::format("localhost:{}", cluster.http_address(node).port);
    for (std::size_t at = 0; (at = text.find(documented, at)) != std::string::npos; at += real.size()) {
      text.replace(at, documented.size(), real);
    }
  }
  return text;
}

// Runs a page's commands against a new cluster; what came back that the page does not say.
std::vector<std::string> differences_from(const fs::path& path, std::vector<DocCommand> commands) {
  Cluster cluster(3);
  cluster.wait_for_leader();
  for (DocCommand& command : commands) {
    command.text = with_ports_of(cluster, command.text);
  }
  const TempFolder folder;
  const auto printed = run_doc_commands(commands, folder.path());
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < printed.size(); ++i) {
    const DocCommand& command = commands[i];
    if (!is_as_documented(command.output, printed[i])) {
      differences.push_back(fmt::format("{}:{}: {}the page says:\n{}it printed:\n{}",
                                        path.filename().string(), command.line, command.text, command.output,
                                        printed[i]));
    }
  }
  return differences;
}

// The pages show a cluster that is well. On a busy machine an election may fall on an example, which is then
// answered otherwise, and rightly: so a page has more than one try.
TEST(DocsSuite, EveryExampleWithCurlDoesWhatItsPageSays) {
  constexpr int kTries = 3;
  std::ptrdiff_t examples = 0;
  for (const fs::path& path : pages()) {
    const DocPage page = read_doc_page(text_of(path), "curl");
    EXPECT_THAT(page.complaints, IsEmpty()) << path;
    if (page.commands.empty()) {
      continue;
    }
    auto differences = differences_from(path, page.commands);
    for (int tries = 1; tries < kTries && !differences.empty(); ++tries) {
      fmt::print("once more, after:\n{}\n", fmt::join(differences, "\n"));
      differences = differences_from(path, page.commands);
    }
    EXPECT_TRUE(differences.empty()) << fmt::format("{}", fmt::join(differences, "\n"));
    examples += std::ranges::count_if(
        page.commands, [](const DocCommand& command) { return command.text.contains("curl"); });
  }
  EXPECT_GT(examples, 9) << "of the pages' examples most are gone";
}

TEST(DocsSuite, SessionsAreReadFromTheirPage) {
  const DocPage page = read_doc_page(
      "text with curl\n"
      "```\n$ curl one \\\n     two\nout\n\nput\n$ A=1\n```\n"
      "```\n$ other\n```\n"
      "```sh\ncurl three\n```\n",
      "curl");
  ASSERT_THAT(page.commands, SizeIs(2));
  EXPECT_EQ(page.commands[0].line, 3);
  EXPECT_EQ(page.commands[0].text, "curl one \\\n     two\n");
  EXPECT_EQ(page.commands[0].output, "out\n\nput\n");
  EXPECT_EQ(page.commands[1].text, "A=1\n");
  EXPECT_EQ(page.commands[1].output, "");
  EXPECT_THAT(page.complaints, ::testing::ElementsAre(::testing::StartsWith("line 14:")));
}

TEST(DocsSuite, WhatIsPrintedHasTheShapeThatThePageSays) {
  EXPECT_TRUE(is_as_documented("", ""));
  EXPECT_TRUE(is_as_documented(R"({"id":"7", "at":"2026-11-26T10:00:00.5Z",
                                   "asOf":{"ageMs":3}})",
                               R"({"id":"12345","at":"2027-01-01T00:00:00Z","asOf":{"ageMs":1200}})"));
  EXPECT_TRUE(
      is_as_documented(R"({"token":"…","position":"9"} …)", R"({"token":"abc","position":"11"}{"more"})"));
  EXPECT_TRUE(is_as_documented("HTTP 404", "\nHTTP 404\n"));
  EXPECT_FALSE(is_as_documented("HTTP 404", "HTTP 400"));
  EXPECT_FALSE(is_as_documented(R"({"read":true})", R"({"read":false})"));
  EXPECT_FALSE(is_as_documented(R"({"id":"7"})", R"({"id":"7","new":"8"})"));
  EXPECT_FALSE(is_as_documented("a … b … c", "a c"));
  EXPECT_FALSE(is_as_documented("", "curl: (7) Failed to connect"));
}

}  // namespace
}  // namespace parley::testing
