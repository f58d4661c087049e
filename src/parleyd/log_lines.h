// The log's lines on stderr, with date, milliseconds and level: what spdlog needs to hand them to a
// LogWriter. Owned by: main, which makes it after prepare_process() and before all that has threads. Any
// thread logs.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <string>

#include "parleyd/log_writer.h"

namespace parley::parleyd {

class LogLines {
 public:
  LogLines();
  // Waits at most two seconds for lines that nobody has taken yet.
  ~LogLines();
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

 private:
  const std::shared_ptr<LogWriter> writer_;
};

[[nodiscard]] std::shared_ptr<LogWriter> make_log_writer(int file);

// Nobody who logs waits; but for who logs a critical line, after which the process stops: at most two
// seconds.
[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(std::shared_ptr<LogWriter> writer);

}  // namespace parley::parleyd
