#include "parley/demo/peer_proxies.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "parley/demo/socket_owner.h"

namespace parley::demo {
namespace {

constexpr std::size_t kBuffer_bytes = 65'536;
constexpr int kLook_ms = 100;  // how often links that are cut are looked at

std::size_t index(int node) { return static_cast<std::size_t>(node - 1); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listening socket on a port that is free, or the reason why there is none.
std::expected<int, std::string> open_door(base::Address& listed) {
  const int door = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (door < 0 || ::bind(door, generic, size) != 0 || ::listen(door, 64) != 0 ||
      ::getsockname(door, generic, &size) != 0) {
    std::string why = std::strerror(errno);
    ::close(door);
    return std::unexpected("no port between the nodes: " + why);
  }
  listed = {"127.0.0.1", ntohs(address.sin_port)};
  return door;
}

void send_at_once(int socket) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

bool would_wait() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN; }

}  // namespace

std::expected<std::unique_ptr<PeerProxies>, std::string> PeerProxies::open(std::vector<NodeAddresses> nodes) {
  std::unique_ptr<PeerProxies> proxies(new PeerProxies(std::move(nodes)));
  for (NodeAddresses& node : proxies->nodes_) {
    const auto door = open_door(node.listed);
    if (!door) {
      return std::unexpected(door.error());
    }
    proxies->doors_.push_back(*door);
  }
  proxies->wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  proxies->thread_ = std::jthread([own = proxies.get()](const std::stop_token& stop) { own->run(stop); });
  return proxies;
}

PeerProxies::~PeerProxies() {
  thread_.request_stop();
  ::eventfd_write(wake_, 1);
  if (thread_.joinable()) {
    thread_.join();
  }
  for (const Link& link : links_) {
    close(link);
  }
  for (const int door : doors_) {
    ::close(door);
  }
  ::close(wake_);
}

const NodeAddresses& PeerProxies::addresses(int node) const { return nodes_.at(index(node)); }

std::vector<std::string> PeerProxies::flags(int node) const {
  return {"--advertise-peer", base::to_string(addresses(node).listed)};
}

void PeerProxies::started(int node, pid_t process) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(processes_, [node](const auto& entry) { return entry.second == node; });
  processes_[process] = node;
}

void PeerProxies::cut(int node) {
  const std::scoped_lock lock(mutex_);
  cut_off_.insert(node);
  ::eventfd_write(wake_, 1);
}

void PeerProxies::heal(int node) {
  const std::scoped_lock lock(mutex_);
  cut_off_.erase(node);
  ::eventfd_write(wake_, 1);
}

bool PeerProxies::is_cut(const Link& link) const {
  const std::scoped_lock lock(mutex_);
  return cut_off_.contains(link.dialler) || cut_off_.contains(link.target);
}

void PeerProxies::accept(int door_node) {
  const int dialled = ::accept4(doors_[index(door_node)], nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (dialled < 0) {
    return;
  }
  std::map<pid_t, int> processes;
  {
    const std::scoped_lock lock(mutex_);
    processes = processes_;
  }
  std::vector<pid_t> candidates;
  for (const auto& [process, node] : processes) {
    candidates.push_back(process);
  }
  const auto owner = owner_of_other_end(dialled, candidates);
  if (!owner) {  // it has hung up, or is no node of ours
    ::close(dialled);
    return;
  }
  send_at_once(dialled);
  links_.push_back({.dialler = processes[*owner], .target = door_node, .ends = {dialled, -1}});
}

bool PeerProxies::connect(Link& link) const {
  link.ends[1] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in target = loopback(addresses(link.target).peer.port);
  send_at_once(link.ends[1]);
  return ::connect(link.ends[1], reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0 ||
         errno == EINPROGRESS;
}

bool PeerProxies::pump(Link& link, const std::array<short, 2>& ready) const {
  for (std::size_t from = 0; from < 2; ++from) {
    const std::size_t to = 1 - from;
    Way& way = link.ways[from];
    if (way.is_empty() && (ready[from] & (POLLIN | POLLHUP | POLLERR)) != 0) {
      way.waiting.resize(kBuffer_bytes);
      way.sent_bytes = 0;
      const ssize_t got = ::recv(link.ends[from], way.waiting.data(), way.waiting.size(), 0);
      way.waiting.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (got == 0 || (got < 0 && !would_wait())) {
        return false;
      }
    }
    if (!way.is_empty()) {
      const ssize_t sent = ::send(link.ends[to], way.waiting.data() + way.sent_bytes,
                                  way.waiting.size() - way.sent_bytes, MSG_NOSIGNAL);
      if (sent < 0 && !would_wait()) {
        return false;
      }
      way.sent_bytes += sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
  }
  return true;
}

// It was dialled while the link was cut, and whoever dialled has given up.
bool PeerProxies::is_abandoned(const Link& link) {
  pollfd file{.fd = link.ends[0], .events = POLLRDHUP, .revents = 0};
  return link.ends[1] < 0 && ::poll(&file, 1, 0) == 1;
}

void PeerProxies::close(const Link& link) {
  for (const int end : link.ends) {
    if (end >= 0) {
      ::close(end);
    }
  }
}

void PeerProxies::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> files = {{.fd = wake_, .events = POLLIN, .revents = 0}};
    for (const int door : doors_) {
      files.push_back({.fd = door, .events = POLLIN, .revents = 0});
    }
    const std::size_t first_link = files.size();
    for (auto link = links_.begin(); link != links_.end();) {
      const bool cut = is_cut(*link);
      const bool over = cut ? is_abandoned(*link) : link->ends[1] < 0 && !connect(*link);
      if (over) {
        close(*link);
        link = links_.erase(link);
        continue;
      }
      for (std::size_t end = 0; end < 2; ++end) {
        const int reads = link->ways[end].is_empty() ? POLLIN : 0;
        const int writes = link->ways[1 - end].is_empty() ? 0 : POLLOUT;
        // An end that waits for nothing is not looked at: one that hung up would wake this loop for ever.
        const bool waits = !cut && (reads | writes) != 0;
        files.push_back(
            {.fd = waits ? link->ends[end] : -1, .events = static_cast<short>(reads | writes), .revents = 0});
      }
      ++link;
    }
    ::poll(files.data(), files.size(), kLook_ms);
    std::uint64_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    std::size_t at = first_link;
    for (auto link = links_.begin(); link != links_.end(); at += 2) {
      // Cut while this thread waited: what is ready stays where it is.
      if (is_cut(*link) || pump(*link, {files[at].revents, files[at + 1].revents})) {
        ++link;
      } else {
        close(*link);
        link = links_.erase(link);
      }
    }
    for (std::size_t node = 1; node <= nodes_.size(); ++node) {
      if (files[node].revents != 0) {
        accept(static_cast<int>(node));
      }
    }
  }
}

}  // namespace parley::demo
