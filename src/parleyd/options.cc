#include "parleyd/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

#include "parleyd/config_file.h"

namespace parley::parleyd {
namespace {

constexpr const char* kVersion = "parleyd " PARLEY_VERSION;
constexpr std::size_t kMaxNodes = 9;

// The flags as they were written.
struct Texts {
  std::string config;
  std::uint32_t id = 1;
  std::string data = "parley-data";
  std::string client = "127.0.0.1:7700";
  std::string peer;
  std::string http = "127.0.0.1:8080";
  std::string cluster;
  std::string join;
  std::string advertise_client;
  std::string advertise_peer;
  std::string advertise_http;
  bool reset = false;
  bool insecure = false;
};

void declare(CLI::App& app, Texts& texts) {
  app.set_version_flag("--version", kVersion);
  app.option_defaults()->take_last();  // the command line comes after the file
  app.add_option("--config", texts.config,
                 "FILE in TOML with these flags as keys; flags given here go before it")
      ->type_name("FILE");
  app.add_option("--id", texts.id, "this node's number in the cluster, 1 and up (default 1)")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U));
  app.add_option("--data", texts.data, "the folder of this node's data (default ./parley-data)")
      ->type_name("DIR");
  app.add_option("--client", texts.client, "where clients connect (default 127.0.0.1:7700)")
      ->type_name("HOST:PORT");
  app.add_option(
         "--peer", texts.peer,
         "where the other nodes connect (default: this node's address in --cluster, or 127.0.0.1:7701)")
      ->type_name("HOST:PORT");
  app.add_option("--http", texts.http,
                 "where browsers find the page and the API as JSON (default 127.0.0.1:8080)")
      ->type_name("HOST:PORT");
  app.add_option("--cluster", texts.cluster,
                 "the peer addresses of the first members, the same list for each (default: this node alone)")
      ->type_name("1=HOST:PORT,2=HOST:PORT,...");
  app.add_option("--advertise-client", texts.advertise_client,
                 "the address that clients are told, where it is not that of --client")
      ->type_name("HOST:PORT");
  app.add_option("--advertise-peer", texts.advertise_peer,
                 "the address that the other nodes are told, where it is not that of --peer")
      ->type_name("HOST:PORT");
  app.add_option("--advertise-http", texts.advertise_http,
                 "the address that browsers use, where it is not that of --http")
      ->type_name("HOST:PORT");
  app.add_flag("--reset", texts.reset,
               "empty the data folder first; the node comes back as a new one, whose vote no longer counts");
  app.add_flag("--insecure", texts.insecure, "listen without encryption on addresses that others can reach");
  // Taken, but of no use in this version: nodes cannot join.
  app.add_option("--join", texts.join)->group("");
}

std::unexpected<Leave> mistake(std::string text) {
  return std::unexpected(Leave{2, "parleyd: " + std::move(text) + "\nparleyd --help shows all flags"});
}

bool is_every_address(const base::Address& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

std::expected<std::vector<ListedPeer>, std::string> parse_cluster(const std::string& text) {
  std::vector<ListedPeer> peers;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    const auto equals = item.find('=');
    std::uint32_t id = 0;
    const char* last = item.data() + std::min(equals, item.size());
    const auto [parsed, errc] = std::from_chars(item.data(), last, id);
    if (equals == std::string::npos || errc != std::errc() || parsed != last || id == 0) {
      return std::unexpected("--cluster: \"" + item + "\" is not ID=HOST:PORT, as 1=192.0.2.7:7701");
    }
    auto address = base::parse_address(std::string_view(item).substr(equals + 1));
    if (!address) {
      return std::unexpected("--cluster: " + address.error());
    }
    peers.push_back({base::NodeId(id), *std::move(address)});
  }
  std::ranges::sort(peers, {}, &ListedPeer::id);
  if (const auto twice = std::ranges::adjacent_find(peers, {}, &ListedPeer::id); twice != peers.end()) {
    return std::unexpected("--cluster names node " + std::to_string(twice->id.value()) + " twice");
  }
  for (auto peer = peers.begin(); peer != peers.end(); ++peer) {
    if (is_every_address(peer->address)) {
      return std::unexpected("--cluster: " + base::to_string(peer->address) +
                             " is no address at which the others find node " +
                             std::to_string(peer->id.value()));
    }
    const auto same = std::ranges::find(peer + 1, peers.end(), peer->address, &ListedPeer::address);
    if (same != peers.end()) {
      return std::unexpected("--cluster gives nodes " + std::to_string(peer->id.value()) + " and " +
                             std::to_string(same->id.value()) + " one address, " +
                             base::to_string(peer->address));
    }
  }
  if (peers.size() > kMaxNodes) {
    return std::unexpected("--cluster names " + std::to_string(peers.size()) + " nodes; at most " +
                           std::to_string(kMaxNodes) + " are allowed");
  }
  return peers;
}

// `text` empty: `otherwise`.
std::expected<base::Address, std::string> address_of(const char* flag, const std::string& text,
                                                     const base::Address& otherwise) {
  if (text.empty()) {
    return otherwise;
  }
  auto address = base::parse_address(text);
  if (!address) {
    return std::unexpected(std::string(flag) + ": " + address.error());
  }
  return address;
}

std::optional<std::string> address_taken_twice(const Options& options) {
  const std::pair<const char*, const base::Address&> listens[] = {
      {"--client", options.client}, {"--peer", options.peer}, {"--http", options.http}};
  for (const auto& [flag, address] : listens) {
    for (const auto& [other_flag, other] : listens) {
      if (std::string_view(flag) < other_flag && address == other && address.port != 0) {
        return std::string(flag) + " and " + other_flag + " are both " + base::to_string(address);
      }
    }
  }
  return std::nullopt;
}

// Reads the addresses; the error says which is wrong.
std::expected<void, std::string> fill_addresses(const Texts& texts, Options& options) {
  base::Address own_peer{"127.0.0.1", 7701};
  if (!texts.cluster.empty()) {
    auto cluster = parse_cluster(texts.cluster);
    if (!cluster) {
      return std::unexpected(std::move(cluster).error());
    }
    options.cluster = *std::move(cluster);
    const auto self = std::ranges::find(options.cluster, options.id, &ListedPeer::id);
    if (self == options.cluster.end()) {
      return std::unexpected("--cluster does not name this node, " + std::to_string(options.id.value()));
    }
    own_peer = self->address;
  }
  const base::Address listed = own_peer;
  const struct {
    const char* flag;
    const std::string& text;
    base::Address& into;
    const base::Address& otherwise;
  } rows[] = {{"--client", texts.client, options.client, own_peer},
              {"--peer", texts.peer, options.peer, own_peer},
              {"--http", texts.http, options.http, own_peer},
              {"--advertise-client", texts.advertise_client, options.advertise_client, options.client},
              // A listed address is how the others find this node: it stands unless another one is named.
              {"--advertise-peer", texts.advertise_peer, options.advertise_peer,
               texts.cluster.empty() ? options.peer : listed},
              {"--advertise-http", texts.advertise_http, options.advertise_http, options.http}};
  for (const auto& row : rows) {
    auto address = address_of(row.flag, row.text, row.otherwise);
    if (!address) {
      return std::unexpected(std::move(address).error());
    }
    row.into = *std::move(address);
  }
  if (options.cluster.empty()) {
    options.cluster = {{options.id, options.advertise_peer}};
  }
  for (const auto& [flag, address] :
       {std::pair("client", &options.advertise_client), std::pair("peer", &options.advertise_peer),
        std::pair("http", &options.advertise_http)}) {
    if (is_every_address(*address)) {
      return std::unexpected(base::to_string(*address) +
                             " is no address that others can use; name one with --advertise-" + flag);
    }
  }
  if (const auto twice = address_taken_twice(options)) {
    return std::unexpected(*twice);
  }
  return {};
}

// The file's flags before those of the command line, so that these win.
std::expected<std::vector<std::string>, std::string> with_config_file(
    const std::vector<std::string>& arguments) {
  std::optional<std::string> path;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config" && i + 1 < arguments.size()) {
      path = arguments[i + 1];
    } else if (arguments[i].starts_with("--config=")) {
      path = arguments[i].substr(9);
    }
  }
  if (!path) {
    return arguments;
  }
  if (path->empty()) {
    return std::unexpected(std::string("--config is given without a value"));
  }
  auto all = read_config_file(*path);
  if (all) {
    all->insert(all->end(), arguments.begin(), arguments.end());
  }
  return all;
}

}  // namespace

std::expected<Options, Leave> parse_options(const std::vector<std::string>& arguments) {
  Texts texts;
  CLI::App app(
      "One node of a Parley cluster: chat that survives. Without flags: a cluster of this node alone, in "
      "./parley-data.",
      "parleyd");
  declare(app, texts);
  auto all = with_config_file(arguments);
  if (!all) {
    return mistake(std::move(all).error());
  }
  std::ranges::reverse(*all);  // CLI11 takes them from the end
  try {
    app.parse(*std::move(all));
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(Leave{0, app.help()});
  } catch (const CLI::CallForVersion&) {
    return std::unexpected(Leave{0, kVersion});
  } catch (const CLI::ParseError& error) {
    return mistake(error.what());
  }
  // As where a script's variable is not set: it would be taken for the flag's absence, which means another
  // thing.
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0 && option->get_type_size() > 0 && option->as<std::string>().empty()) {
      return mistake(option->get_name() + " is given without a value");
    }
  }
  if (!texts.join.empty()) {
    return mistake(
        "--join: nodes cannot join a running cluster in this version; name all nodes in --cluster");
  }
  Options options;
  options.id = base::NodeId(texts.id);
  options.data_folder = texts.data;
  options.reset = texts.reset;
  options.insecure = texts.insecure;
  if (auto filled = fill_addresses(texts, options); !filled) {
    return mistake(std::move(filled).error());
  }
  if (const auto exposed = exposed_addresses(options); !exposed.empty() && !options.insecure) {
    return mistake(exposed.front() +
                   " can be reached from other machines, and nothing is encrypted in this version; "
                   "say --insecure if that network is yours alone");
  }
  return options;
}

std::vector<std::string> exposed_addresses(const Options& options) {
  std::vector<std::string> exposed;
  for (const auto* address : {&options.client, &options.peer, &options.http}) {
    if (!address->is_loopback()) {
      exposed.push_back(base::to_string(*address));
    }
  }
  return exposed;
}

}  // namespace parley::parleyd
