// stderr as a program has it: the lines' looks, the last ones before it ends, and a pipe that nobody reads.
#include "parleyd/log_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>

#include "base/ensure.h"
#include "base/standard_files.h"
#include "tests/parleyd/pipe.h"

namespace parley::parleyd {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;
using ::testing::MatchesRegex;
using testing::Pipe;

constexpr const char* kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} ";

TEST(LogLines, HaveTimeAndLevel) {
  Pipe pipe;
  const auto logger = make_logger(make_log_writer(pipe.writing()));
  logger->info("{} is here", 7);
  EXPECT_THAT(pipe.read_until("here\n"), MatchesRegex(std::string(kTime) + "info    7 is here\n"));
  logger->debug("not told");
  logger->warn("there");
  EXPECT_THAT(pipe.read_until("there\n"), MatchesRegex(std::string(kTime) + "warning there\n"));
}

TEST(LogLines, ThatWereLostAreTold) {
  constexpr int kBound = 8'192;
  Pipe pipe;
  pipe.fill();
  const auto logger = make_logger(make_log_writer(pipe.writing()));
  for (int number = 0; number < kBound + 3; ++number) {
    logger->info("line {}.", number);
  }
  const std::string text = pipe.read_until("them\n");
  const std::string last = fmt::format("line {}.\n", kBound - 1);
  const std::size_t at = text.find(last);
  ASSERT_NE(at, std::string::npos) << text.substr(text.size() - std::min<std::size_t>(text.size(), 300));
  EXPECT_THAT(text.substr(at + last.size()),
              MatchesRegex(std::string(kTime) + "warning 3 lines of the log were lost: nobody took them\n"));
}

[[noreturn]] void fail_to_start() {
  {
    const LogLines lines;
    spdlog::error("cannot start");
  }
  ::_exit(3);
}

[[noreturn]] void fail_with_stderr_at(int file) {
  ::dup2(file, STDERR_FILENO);
  fail_to_start();
}

[[noreturn]] void stop_with_stderr_at(int file) {
  ::dup2(file, STDERR_FILENO);
  const LogLines lines;
  spdlog::info("before");
  spdlog::critical("broken");
  base::stop_process("broken");
}

[[noreturn]] void open_a_file_without_standard_files() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::close(file);
  }
  base::occupy_standard_files();
  const int file = ::open("/dev/null", O_WRONLY);
  ::_exit(file > STDERR_FILENO && ::write(STDERR_FILENO, "x", 1) < 0 ? 0 : 1);
}

TEST(LogLinesDeathTest, AnErrorComesOutBeforeTheProgramEnds) {
  EXPECT_EXIT(fail_to_start(), ExitedWithCode(3), "error   cannot start");
}

TEST(LogLinesDeathTest, TheProgramEndsWithAFullPipeAsWell) {
  Pipe pipe;
  pipe.fill();
  EXPECT_EXIT(fail_with_stderr_at(pipe.writing()), ExitedWithCode(3), "");
}

TEST(LogLinesDeathTest, WhatWasLoggedComesOutBeforeABrokenInvariantStopsTheProgram) {
  EXPECT_EXIT(stop_with_stderr_at(STDERR_FILENO), KilledBySignal(SIGABRT),
              "info    before\n.*critical broken\nparley: stopped, a broken invariant: broken");
}

TEST(LogLinesDeathTest, ABrokenInvariantStopsTheProgramWithAFullPipeAsWell) {
  Pipe pipe;
  pipe.fill();
  EXPECT_EXIT(stop_with_stderr_at(pipe.writing()), KilledBySignal(SIGABRT), "");
}

TEST(LogLinesDeathTest, ClosedStandardFilesAreNotTheNextOnes) {
  EXPECT_EXIT(open_a_file_without_standard_files(), ExitedWithCode(0), "");
}

}  // namespace
}  // namespace parley::parleyd
