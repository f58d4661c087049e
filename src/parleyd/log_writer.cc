#include "parleyd/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "node/thread_name.h"

namespace parley::parleyd {
namespace {

// Lines one after the other in a text whose room is used again: under a flood of lines nothing is allocated.
struct Lines {
  std::string text;
  std::vector<std::size_t> ends;
  std::uint64_t lost = 0;  // behind the last of them

  [[nodiscard]] bool is_empty() const { return ends.empty() && lost == 0; }
  void clear() {
    text.clear();
    ends.clear();
    lost = 0;
  }
};

// False: the file cannot be written, now or ever.
bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody who shares it made it non-blocking
      pollfd waited{.fd = file, .events = POLLOUT, .revents = 0};
      ::poll(&waited, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

// What the thread that writes works on, and owns together with the LogWriter: it may outlive that.
class LogWriter::Queue {
 public:
  explicit Queue(LogWriterOptions options)
      : options_(std::move(options)), file_(::fcntl(options_.file, F_DUPFD_CLOEXEC, 0)) {}
  ~Queue() { ::close(file_); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  void push(std::string_view line);
  [[nodiscard]] bool wait_until_written(std::chrono::milliseconds limit);
  [[nodiscard]] bool end(std::chrono::milliseconds limit);
  // The thread's work: until the end, and all is written.
  void run();

 private:
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  [[nodiscard]] bool take();
  void write_taken();
  void write(std::string_view line);
  void tell_lost();

  const LogWriterOptions options_;
  const int file_;
  std::mutex mutex_;
  std::condition_variable pushed_;   // or ended
  std::condition_variable written_;  // all of it
  Lines waiting_;
  Lines taken_;  // of the thread that writes: changed with the mutex, read by that thread without
  bool is_writing_ = false;
  bool ended_ = false;
  bool finished_ = false;
  std::uint64_t untold_ = 0;  // lost lines that no line has told of yet; that thread's own
};

bool LogWriter::Queue::has_room(std::size_t bytes) const {
  return taken_.ends.size() + waiting_.ends.size() < options_.max_lines &&
         taken_.text.size() + waiting_.text.size() + bytes <= options_.max_bytes;
}

void LogWriter::Queue::push(std::string_view line) {
  {
    const std::scoped_lock lock(mutex_);
    if (ended_) {
      return;
    }
    // Once one is lost, so are those after it until the thread has come that far, and tells so there.
    if (waiting_.lost > 0 || !has_room(line.size())) {
      ++waiting_.lost;
    } else {
      waiting_.text += line;
      waiting_.ends.push_back(waiting_.text.size());
    }
  }
  pushed_.notify_one();
}

bool LogWriter::Queue::wait_until_written(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return written_.wait_for(lock, limit, [this] { return waiting_.is_empty() && !is_writing_; });
}

bool LogWriter::Queue::end(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  ended_ = true;
  pushed_.notify_one();
  return written_.wait_for(lock, limit, [this] { return finished_; });
}

bool LogWriter::Queue::take() {
  std::unique_lock lock(mutex_);
  taken_.clear();
  is_writing_ = false;
  if (waiting_.is_empty()) {
    written_.notify_all();
  }
  pushed_.wait(lock, [this] { return ended_ || !waiting_.is_empty(); });
  if (waiting_.is_empty()) {
    finished_ = true;
    written_.notify_all();
    return false;
  }
  std::swap(taken_, waiting_);
  is_writing_ = true;
  return true;
}

void LogWriter::Queue::tell_lost() {
  if (untold_ > 0 && write_all(file_, options_.lost_line(untold_))) {
    untold_ = 0;
  }
}

void LogWriter::Queue::write(std::string_view line) {
  tell_lost();
  if (!write_all(file_, line)) {
    ++untold_;
  }
}

// Line by line: what others write to the same file comes between lines, not into one.
void LogWriter::Queue::write_taken() {
  const std::string_view text = taken_.text;
  std::size_t begin = 0;
  for (const std::size_t end : taken_.ends) {
    write(text.substr(begin, end - begin));
    begin = end;
  }
  untold_ += taken_.lost;
  tell_lost();
}

void LogWriter::Queue::run() {
  while (take()) {
    write_taken();
  }
}

LogWriter::LogWriter(LogWriterOptions options)
    : queue_(std::make_shared<Queue>(std::move(options))), thread_([queue = queue_] {
        node::name_this_thread("log writer");
        queue->run();
      }) {}

LogWriter::~LogWriter() { end(std::chrono::milliseconds(0)); }

void LogWriter::push(std::string_view line) { queue_->push(line); }

bool LogWriter::wait_until_written(std::chrono::milliseconds limit) {
  return queue_->wait_until_written(limit);
}

bool LogWriter::end(std::chrono::milliseconds limit) {
  const bool finished = queue_->end(limit);
  if (!thread_.joinable()) {
    return finished;
  }
  if (finished) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return finished;
}

}  // namespace parley::parleyd
