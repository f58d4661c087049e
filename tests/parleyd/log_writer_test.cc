// Lines on their way to somebody who does not read: nobody who logs waits, and what is lost is told.
#include "parleyd/log_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/parleyd/pipe.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using testing::Pipe;

constexpr auto kLogPatience = 60s;

std::unique_ptr<LogWriter> writer_to(int file, std::size_t max_lines, std::size_t max_bytes) {
  return std::make_unique<LogWriter>(LogWriterOptions{
      .file = file, .max_lines = max_lines, .max_bytes = max_bytes, .lost_line = [](std::uint64_t lost) {
        return fmt::format("{} lost\n", lost);
      }});
}

std::unique_ptr<LogWriter> writer_to(const Pipe& pipe) {
  return writer_to(pipe.writing(), 100'000, 10'000'000);
}

std::string numbered(int number) { return fmt::format("line {:04}\n", number); }

std::string first_lines(int count) {
  std::string text;
  for (int number = 0; number < count; ++number) {
    text += numbered(number);
  }
  return text;
}

// What comes before it is told that `lost` lines were lost: in one line or more, by how late the writer came
// to the queue while they were pushed.
std::string read_until_lost(Pipe& pipe, std::uint64_t lost) {
  std::string before;
  std::uint64_t told = 0;
  while (told < lost) {
    const std::string text = pipe.read_until(" lost\n");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with(" lost")) {
        told += std::stoull(line);
      } else {
        EXPECT_EQ(told, 0U) << line << " comes after what was lost behind it";
        before += line + '\n';
      }
    }
    if (text.empty()) {
      break;
    }
  }
  EXPECT_EQ(told, lost);
  return before;
}

TEST(LogWriter, NobodyWaitsForAReaderAndWhatIsLostIsToldInItsPlace) {
  Pipe pipe;
  pipe.fill();
  const auto writer = writer_to(pipe.writing(), 100, 10'000'000);
  for (int number = 0; number < 1'000; ++number) {
    writer->push(numbered(number));
  }
  EXPECT_EQ(read_until_lost(pipe, 900), first_lines(100));
  ASSERT_TRUE(writer->wait_until_written(kLogPatience));
  writer->push("again\n");
  EXPECT_EQ(pipe.read_until("again\n"), "again\n");
}

TEST(LogWriter, BytesAreBoundedToo) {
  Pipe pipe;
  pipe.fill();
  const auto writer = writer_to(pipe.writing(), 100, 5 * numbered(0).size());
  for (int number = 0; number < 8; ++number) {
    writer->push(numbered(number));
  }
  writer->push("\n");  // would find room, but the lines before it did not
  EXPECT_EQ(read_until_lost(pipe, 4), first_lines(5));
}

TEST(LogWriter, ALineThatIsTooLongForTheQueueIsLostAlone) {
  Pipe pipe;
  const auto writer = writer_to(pipe.writing(), 100, 10);
  writer->push(std::string(11, 'x'));
  EXPECT_EQ(pipe.read_until(" lost\n"), "1 lost\n");
  ASSERT_TRUE(writer->wait_until_written(kLogPatience));
  writer->push("short\n");
  EXPECT_EQ(pipe.read_until("short\n"), "short\n");
}

TEST(LogWriter, EveryThreadsLinesComeInOrderAndTheEndWritesAllThatWaits) {
  constexpr int kLines = 4'000;  // of each thread: more than a pipe holds
  Pipe pipe;
  auto read = std::async(std::launch::async, [&] { return pipe.read_until_closed(); });
  auto writer = writer_to(pipe);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&writer, thread] {
        for (int number = 0; number < kLines; ++number) {
          writer->push(fmt::format("{} {}\n", thread, number));
        }
      });
    }
  }
  EXPECT_TRUE(writer->end(kLogPatience));
  writer.reset();
  pipe.close_writing();
  std::array<int, 4> next{};
  std::istringstream lines(read.get());
  std::size_t thread = 0;
  int number = 0;
  while (lines >> thread >> number) {
    ASSERT_EQ(number, next.at(thread)++) << "of thread " << thread;
  }
  EXPECT_EQ(next, (std::array<int, 4>{kLines, kLines, kLines, kLines}));
}

TEST(LogWriter, TheEndLeavesAThreadBehindThatNobodyReadsFrom) {
  Pipe pipe;
  pipe.fill();
  {
    const auto writer = writer_to(pipe);
    writer->push("left behind\n");
    EXPECT_FALSE(writer->end(10ms));
    writer->push("too late\n");
  }
  pipe.close_writing();  // the thread has its own
  EXPECT_EQ(pipe.read_until_closed(), "left behind\n");
}

TEST(LogWriter, SaysWhetherEverythingIsWritten) {
  Pipe pipe;
  const auto writer = writer_to(pipe);
  EXPECT_TRUE(writer->wait_until_written(0ms)) << "nothing was pushed";
  writer->push("written\n");
  EXPECT_TRUE(writer->wait_until_written(kLogPatience));
  EXPECT_EQ(pipe.read_until("written\n"), "written\n");
  pipe.fill();
  writer->push("waits\n");
  EXPECT_FALSE(writer->wait_until_written(10ms));
  EXPECT_EQ(pipe.read_until("waits\n"), "waits\n");
  EXPECT_TRUE(writer->wait_until_written(kLogPatience));
}

TEST(LogWriter, APipeThatSomebodyMadeNonBlockingLosesNothing) {
  Pipe pipe;
  pipe.fill();
  pipe.set_blocking(false);
  const auto writer = writer_to(pipe);
  for (int number = 0; number < 1'000; ++number) {
    writer->push(numbered(number));
  }
  EXPECT_EQ(pipe.read_until(numbered(999)), first_lines(1'000));
}

TEST(LogWriter, AFileThatCannotBeWrittenHoldsUpNothing) {
  const int full_disk = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full_disk, 0);
  for (const int file : {full_disk, -1}) {
    const auto writer = writer_to(file, 100, 10'000'000);
    for (int number = 0; number < 1'000; ++number) {
      writer->push(numbered(number));
    }
    EXPECT_TRUE(writer->end(kLogPatience));
  }
  ::close(full_disk);
}

}  // namespace
}  // namespace parley::parleyd
