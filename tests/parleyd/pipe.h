// Pipe: one whose other end the test reads, when it likes. Owned by: a test. One thread writes, one reads.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>

#include "base/ensure.h"

namespace parley::testing {

class Pipe {
 public:
  Pipe() {
    base::ensure(::pipe2(ends_.data(), O_CLOEXEC) == 0, "a pipe can be made");
    std::signal(SIGPIPE, SIG_IGN);  // of who writes once the test is over
  }
  ~Pipe() {
    ::close(ends_[0]);
    close_writing();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int writing() const { return ends_[1]; }
  void close_writing() {
    if (ends_[1] >= 0) {
      ::close(ends_[1]);
      ends_[1] = -1;
    }
  }

  // Until not one byte more goes in. What is read later comes without what this has put in.
  void fill() {
    const std::string page(4096, '.');
    set_blocking(false);
    for (const std::size_t size : {page.size(), std::size_t{1}}) {
      ssize_t written = 0;
      while ((written = ::write(writing(), page.data(), size)) > 0) {
        filler_bytes_ += static_cast<std::size_t>(written);
      }
    }
    set_blocking(true);
  }

  void set_blocking(bool blocking) const {
    const int flags = ::fcntl(writing(), F_GETFL);
    ::fcntl(writing(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
  }

  // What comes until it ends with `last`, until nobody can write any more, or for two minutes without a byte.
  std::string read_until(std::string_view last) {
    constexpr int kPatience_ms = 120'000;
    std::string text;
    std::array<char, 4096> part{};
    pollfd reading{.fd = ends_[0], .events = POLLIN, .revents = 0};
    while ((last.empty() || !text.ends_with(last)) && ::poll(&reading, 1, kPatience_ms) == 1) {
      const ssize_t size = ::read(ends_[0], part.data(), part.size());
      if (size <= 0) {
        break;
      }
      const std::size_t skipped = std::min(filler_bytes_, static_cast<std::size_t>(size));
      filler_bytes_ -= skipped;
      text.append(part.data() + skipped, static_cast<std::size_t>(size) - skipped);
    }
    return text;
  }
  std::string read_until_closed() { return read_until({}); }

 private:
  std::array<int, 2> ends_{-1, -1};
  std::size_t filler_bytes_ = 0;
};

}  // namespace parley::testing
