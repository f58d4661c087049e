#include "parley/page_probe.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace parley::cli {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer_bytes = 16'384;

enum class Seen : std::uint8_t { nothing_yet, none, alive, ready };

// One GET /readyz under way.
class Probe {
 public:
  explicit Probe(const base::Address& address)
      : request_(fmt::format("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                             base::to_string(address))) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) {
      seen_ = Seen::none;
      return;
    }
    file_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (::connect(file_, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
      seen_ = Seen::none;
    }
    ::freeaddrinfo(found);
  }
  ~Probe() {
    if (file_ >= 0) {
      ::close(file_);
    }
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  [[nodiscard]] Seen seen() const { return seen_; }
  [[nodiscard]] pollfd waits_for() const {
    return {.fd = seen_ == Seen::nothing_yet ? file_ : -1,
            .events = static_cast<short>(request_.empty() ? POLLIN : POLLOUT),
            .revents = 0};
  }
  void go_on() {
    if (!request_.empty()) {
      const ssize_t sent = ::send(file_, request_.data(), request_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        seen_ = Seen::none;
      }
      request_.erase(0, sent > 0 ? static_cast<std::size_t>(sent) : 0);
      return;
    }
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(file_, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    answer_.append(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (got <= 0 || answer_.size() > kMaxAnswer_bytes) {
      seen_ = judged();
    }
  }

 private:
  // Whatever else may listen there does not say this.
  [[nodiscard]] Seen judged() const {
    const std::string_view answer = answer_;
    const bool is_http = answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 ");
    if (is_http && answer.contains("\r\n\r\n{\"ready\":true,")) {
      return Seen::ready;
    }
    return is_http && answer.contains("\r\n\r\n{\"ready\":false,") ? Seen::alive : Seen::none;
  }

  int file_ = -1;
  std::string request_;  // what is still to be sent
  std::string answer_;
  Seen seen_ = Seen::nothing_yet;
};

// Known as soon as no candidate before the first ready one may still turn out to be ready.
bool is_decided(const std::vector<std::unique_ptr<Probe>>& probes) {
  for (const auto& probe : probes) {
    if (probe->seen() == Seen::ready) {
      return true;
    }
    if (probe->seen() == Seen::nothing_yet) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::size_t> find_page(const std::vector<base::Address>& candidates,
                                     std::chrono::milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  std::vector<std::unique_ptr<Probe>> probes;
  for (const base::Address& candidate : candidates) {
    probes.push_back(std::make_unique<Probe>(candidate));
  }
  while (!is_decided(probes) && steady_clock::now() < deadline) {
    std::vector<pollfd> files;
    for (const auto& probe : probes) {
      files.push_back(probe->waits_for());
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    ::poll(files.data(), files.size(), static_cast<int>(left.count()));
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].revents != 0) {
        probes[i]->go_on();
      }
    }
  }
  for (const Seen wanted : {Seen::ready, Seen::alive}) {
    const auto found =
        std::ranges::find_if(probes, [wanted](const auto& probe) { return probe->seen() == wanted; });
    if (found != probes.end()) {
      return static_cast<std::size_t>(found - probes.begin());
    }
  }
  return std::nullopt;
}

}  // namespace parley::cli
