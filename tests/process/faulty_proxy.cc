#include "tests/process/faulty_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <list>
#include <vector>

#include "base/ensure.h"

namespace parley::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

// What a client of HTTP/2 says before its first request is shorter: preface, settings, acknowledgements.
constexpr std::size_t kGreeting_bytes = 256;

struct Pair {
  int client;
  int node;
  std::size_t from_client_bytes = 0;
};

// False: one side is closed.
bool pass(int from, int to, bool drop, std::size_t* counted_bytes = nullptr) {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    return false;
  }
  if (counted_bytes != nullptr) {
    *counted_bytes += static_cast<std::size_t>(got);
  }
  std::size_t sent = drop ? static_cast<std::size_t>(got) : 0;
  while (sent < static_cast<std::size_t>(got)) {
    const ssize_t n = ::send(to, buffer.data() + sent, static_cast<std::size_t>(got) - sent, MSG_NOSIGNAL);
    if (n <= 0) {
      return false;
    }
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

FaultyProxy::FaultyProxy(const base::Address& target)
    : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  const bool listens = ::bind(listener_, generic(address), size) == 0 && ::listen(listener_, 64) == 0 &&
                       ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  base::ensure(listens, "a port for the proxy");
  address_ = {"127.0.0.1", ntohs(address.sin_port)};
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

FaultyProxy::~FaultyProxy() {
  thread_.request_stop();
  thread_.join();
  ::close(listener_);
}

void FaultyProxy::run(const std::stop_token& stop) {
  std::list<Pair> pairs;
  while (!stop.stop_requested()) {
    std::vector<pollfd> files = {{.fd = listener_, .events = POLLIN, .revents = 0}};
    for (const Pair& pair : pairs) {
      files.push_back({.fd = pair.client, .events = POLLIN, .revents = 0});
      files.push_back({.fd = pair.node, .events = POLLIN, .revents = 0});
    }
    ::poll(files.data(), files.size(), 50);
    std::size_t at = 1;
    for (auto pair = pairs.begin(); pair != pairs.end(); at += 2) {
      bool open = files[at].revents == 0 || pass(pair->client, pair->node, false, &pair->from_client_bytes);
      const bool drop = dropping_ || (dropping_data_ && pair->from_client_bytes > kGreeting_bytes);
      open = open && (files[at + 1].revents == 0 || pass(pair->node, pair->client, drop));
      if (!open) {
        ::close(pair->client);
        ::close(pair->node);
      }
      pair = open ? std::next(pair) : pairs.erase(pair);
    }
    if (files[0].revents != 0) {
      Pair pair{.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC),
                .node = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      const sockaddr_in node = loopback(target_.port);
      if (::connect(pair.node, generic(node), sizeof(node)) == 0) {
        pairs.push_back(pair);
      } else {
        ::close(pair.client);
        ::close(pair.node);
      }
    }
  }
  for (const Pair& pair : pairs) {
    ::close(pair.client);
    ::close(pair.node);
  }
}

}  // namespace parley::testing
