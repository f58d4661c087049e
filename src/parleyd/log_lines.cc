#include "parleyd/log_lines.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <string_view>
#include <utility>

namespace parley::parleyd {
namespace {

constexpr auto kLastLinesLimit = std::chrono::milliseconds(2'000);
constexpr std::string_view kLoggerName = "parleyd";

std::unique_ptr<spdlog::formatter> make_formatter() {
  return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S.%e %-7l %v");
}

std::string formatted(spdlog::formatter& formatter, const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter.format(message, line);
  return {line.data(), line.size()};
}

std::string lost_lines(std::uint64_t lost) {
  return lost == 1 ? "1 line of the log was lost: nobody took it"
                   : fmt::format("{} lines of the log were lost: nobody took them", lost);
}

// Its mutex guards the formatter, and keeps lines in the order of their times.
class LogSink final : public spdlog::sinks::sink {
 public:
  explicit LogSink(std::shared_ptr<LogWriter> writer)
      : writer_(std::move(writer)), formatter_(make_formatter()) {}

  void log(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    const std::scoped_lock lock(mutex_);
    formatter_->format(message, line);
    writer_->push({line.data(), line.size()});
  }

  void flush() override { static_cast<void>(writer_->wait_until_written(kLastLinesLimit)); }

  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    const std::scoped_lock lock(mutex_);
    formatter_ = std::move(formatter);
  }

 private:
  const std::shared_ptr<LogWriter> writer_;
  std::mutex mutex_;
  std::unique_ptr<spdlog::formatter> formatter_;
};

}  // namespace

std::shared_ptr<LogWriter> make_log_writer(int file) {
  // With a formatter of its own, which the thread that writes may need after everything else is gone.
  auto lost_line = [formatter = std::shared_ptr(make_formatter())](std::uint64_t lost) {
    return formatted(*formatter, {kLoggerName, spdlog::level::warn, lost_lines(lost)});
  };
  return std::make_shared<LogWriter>(LogWriterOptions{.file = file, .lost_line = std::move(lost_line)});
}

std::shared_ptr<spdlog::logger> make_logger(std::shared_ptr<LogWriter> writer) {
  auto logger = std::make_shared<spdlog::logger>(std::string(kLoggerName), std::make_shared<LogSink>(writer));
  logger->flush_on(spdlog::level::critical);
  // Of a line that cannot be made; spdlog's own handler writes to stderr by itself, and waits.
  logger->set_error_handler([writer = std::move(writer)](const std::string& why) {
    writer->push("a line of the log failed: " + why + "\n");
  });
  return logger;
}

LogLines::LogLines() : writer_(make_log_writer(STDERR_FILENO)) {
  spdlog::set_default_logger(make_logger(writer_));
}

LogLines::~LogLines() { writer_->end(kLastLinesLimit); }

}  // namespace parley::parleyd
