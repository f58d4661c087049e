// Options: what parleyd is told by its flags and its configuration file. Owned by: main, by value. One
// thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"

namespace parley::parleyd {

struct ListedPeer {
  base::NodeId id;
  base::Address address;
  bool operator==(const ListedPeer&) const = default;
};

struct Options {
  base::NodeId id{1};
  std::string data_folder = "parley-data";
  base::Address client;  // where to listen
  base::Address peer;
  base::Address http;
  base::Address advertise_client;  // what the others and the clients are told
  base::Address advertise_peer;
  base::Address advertise_http;
  std::vector<ListedPeer> cluster;  // sorted by id, this node among them
  bool reset = false;
  bool insecure = false;
};

// Not to run, but to say something and to leave.
struct Leave {
  int exit_code = 0;  // 0: help or version were asked for; 2: a mistake
  std::string text;
};

// `arguments` without the program's name. Reads the configuration file that they name.
[[nodiscard]] std::expected<Options, Leave> parse_options(const std::vector<std::string>& arguments);

// What of this listens where strangers may reach it, for a warning. Empty: nothing.
[[nodiscard]] std::vector<std::string> exposed_addresses(const Options& options);

}  // namespace parley::parleyd
