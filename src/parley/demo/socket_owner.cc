#include "parley/demo/socket_owner.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace parley::demo {
namespace {

struct Ports {
  std::uint16_t of_other_end = 0;
  std::uint16_t of_this_end = 0;
};

std::optional<Ports> ports_of(int accepted) {
  sockaddr_in own{};
  sockaddr_in peer{};
  socklen_t own_size = sizeof(own);
  socklen_t peer_size = sizeof(peer);
  if (::getsockname(accepted, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 ||
      ::getpeername(accepted, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) {
    return std::nullopt;
  }
  return Ports{.of_other_end = ntohs(peer.sin_port), .of_this_end = ntohs(own.sin_port)};
}

// The inode of the socket that is connected from the other end's port to ours. A socket for both families
// stands in tcp6. Lines: "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...".
std::optional<std::string> inode_of(const Ports& ports) {
  const std::string local_end = fmt::format(":{:04X}", ports.of_other_end);
  const std::string remote_end = fmt::format(":{:04X}", ports.of_this_end);
  for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string number;
      std::string local;
      std::string remote;
      words >> number >> local >> remote;
      if (!local.ends_with(local_end) || !remote.ends_with(remote_end)) {
        continue;
      }
      std::string word;
      for (int i = 0; i < 7; ++i) {
        words >> word;
      }
      if (!word.empty() && word != "0") {
        return word;
      }
    }
  }
  return std::nullopt;
}

bool holds(pid_t process, const std::string& socket) {
  std::error_code error;
  const std::string folder = fmt::format("/proc/{}/fd", process);
  for (std::filesystem::directory_iterator file(folder, error), end; !error && file != end;
       file.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(file->path(), gone).string() == socket) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<pid_t> owner_of_other_end(int accepted, std::span<const pid_t> candidates) {
  const auto ports = ports_of(accepted);
  const auto inode = ports ? inode_of(*ports) : std::nullopt;
  if (!inode) {
    return std::nullopt;
  }
  const std::string socket = fmt::format("socket:[{}]", *inode);
  for (const pid_t process : candidates) {
    if (holds(process, socket)) {
      return process;
    }
  }
  return std::nullopt;
}

}  // namespace parley::demo
