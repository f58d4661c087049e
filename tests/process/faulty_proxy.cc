#include "tests/process/faulty_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <list>
#include <utility>
#include <vector>

#include "base/ensure.h"

namespace parley::testing {
namespace {

sockaddr_in to_sockaddr(const base::Address& from) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(from.port);
  base::ensure(::inet_pton(AF_INET, from.host.c_str(), &address.sin_addr) == 1, "an address in figures");
  return address;
}

// This thread alone.
void enter_namespace(const std::string& name) {
  const int file = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  base::ensure(file >= 0 && ::setns(file, CLONE_NEWNET) == 0, "a network namespace can be entered");
  ::close(file);
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

FaultyProxy::FaultyProxy(ProxyRoute route) : route_(std::move(route)), address_(route_.listen) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  port_.wait(0);
  address_.port = port_;
}

// A socket belongs to the namespace of the thread that made it.
std::uint16_t FaultyProxy::listen() {
  if (!route_.network_namespace.empty()) {
    enter_namespace(route_.network_namespace);
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = to_sockaddr(route_.listen);
  socklen_t size = sizeof(address);
  const bool listens = ::bind(listener_, generic(address), size) == 0 && ::listen(listener_, 64) == 0 &&
                       ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  base::ensure(listens, "a port for the proxy");
  return ntohs(address.sin_port);
}

FaultyProxy::~FaultyProxy() {
  thread_.request_stop();
  thread_.join();
  ::close(listener_);
}

void FaultyProxy::run(const std::stop_token& stop) {
  port_ = listen();
  port_.notify_all();
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
      const sockaddr_in node = to_sockaddr(route_.target);
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
