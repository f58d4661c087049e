// open: the page of a living node, in the browser.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "parley/app.h"
#include "parley/page_probe.h"

namespace parley::cli {
namespace {

constexpr std::chrono::milliseconds kStatusPatience{3'000};
constexpr std::chrono::milliseconds kProbePatience{3'000};
// Where nodes of one machine serve their pages, unless told otherwise: parleyd, and local clusters.
constexpr std::uint16_t kFirstPort = 8080;
constexpr std::uint16_t kLastPort = 8088;

constexpr int kLook_ms = 20;
constexpr int kLooks = 75;

struct OpenOptions {
  std::vector<std::string> http;
  bool print_only = false;
};

void add(std::vector<base::Address>& candidates, const base::Address& address) {
  if (std::ranges::find(candidates, address) == candidates.end()) {
    candidates.push_back(address);
  }
}

// What the cluster says itself. Needs a session; empty: there is none, or nobody answers.
std::vector<base::Address> pages_of_cluster(Session& session) {
  std::vector<base::Address> pages;
  if (session.profile().token.empty()) {
    return pages;
  }
  Progress progress("asking");
  client::CallOptions call = session.call(progress);
  call.timeout = std::min(session.timeout(), kStatusPatience);
  const auto status = session.client().get_status({}, call);
  if (!status) {
    return pages;
  }
  // Whoever answered lives; then those that are well.
  for (const int wanted : {0, 1, 2}) {
    for (const v1::Node& node : status->nodes()) {
      const int rank = node.id() == status->node_id() ? 0 : node.healthy() ? 1 : 2;
      if (const auto address = base::parse_address(node.http_addr()); address && rank == wanted) {
        add(pages, *address);
      }
    }
  }
  return pages;
}

// Without a session nobody says where the pages are: the usual ports of the machines that are known.
std::vector<base::Address> usual_pages(const Session& session) {
  std::vector<base::Address> pages;
  for (std::uint16_t port = kFirstPort; port <= kLastPort; ++port) {
    for (const std::string& server : session.servers()) {
      if (const auto address = base::parse_address(server)) {
        add(pages, {address->host, port});
      }
    }
  }
  return pages;
}

bool has_display() {
  const auto is_set = [](const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
}

// False: there is no xdg-open, or nowhere to show a browser. What it says is not ours to print.
bool open_in_browser(std::string url) {
  if (!has_display()) {
    return false;
  }
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string word = "xdg-open";
  std::vector<char*> argv = {word.data(), url.data(), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);  // Ctrl-C here is not for the browser
  pid_t id = -1;
  const int failed = ::posix_spawnp(&id, word.c_str(), &files, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  // On some desktops it is the browser from then on: what has not failed soon has worked.
  int status = 0;
  for (int look = 0; failed == 0 && look < kLooks; ++look) {
    if (::waitpid(id, &status, WNOHANG) == id) {
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    ::poll(nullptr, 0, kLook_ms);
  }
  return failed == 0;
}

ExitCode open_page(Session& session, const OpenOptions& options) {
  std::vector<base::Address> candidates;
  for (const std::string& text : options.http) {
    if (const auto address = base::parse_address(text)) {
      add(candidates, *address);
    }
  }
  if (candidates.empty()) {
    candidates = pages_of_cluster(session);
    if (session.interrupted_by() != 0) {
      return ExitCode::unavailable;
    }
  }
  const auto limit = std::min(session.timeout(), kProbePatience);
  auto found = find_page(candidates, limit);
  if (!found && options.http.empty()) {
    candidates = usual_pages(session);
    found = find_page(candidates, limit);
  }
  if (!found) {
    std::string looked;
    for (const base::Address& candidate : candidates) {
      looked += (looked.empty() ? "" : ", ") + base::to_string(candidate);
    }
    const std::string what = "no node serves its page at " + looked;
    const std::string hint = "start one (parleyd, or parley demo), or say where it is with --http HOST:PORT";
    if (session.json()) {
      print_error(base::refused(base::Code::unavailable, "NO_PAGE", what + "; " + hint), true);
    } else {
      print_trouble(what);
      print_trouble(hint);
    }
    return ExitCode::unavailable;
  }
  const std::string url = fmt::format("http://{}/", base::to_string(candidates[*found]));
  print_line(session.json() ? fmt::format(R"({{"url":{}}})", json_string(url)) : url);
  if (!options.print_only && !session.json() && !open_in_browser(url)) {
    print_trouble("there is no display or no xdg-open here: open it in a browser yourself");
  }
  return ExitCode::done;
}

}  // namespace

void add_open_command(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<OpenOptions>();
  CLI::App& command =
      add_command(app, "open", "The page of a living node, in the browser; no login is needed",
                  "parley open\n  parley open --print");
  command
      .add_option("--http", options->http,
                  "Where nodes serve their pages (default: what the cluster says, "
                  "or ports 8080 to 8088 of the servers' machines)")
      ->delimiter(',')
      ->check(CLI::Validator(address_trouble, ""))
      ->type_name("HOST:PORT,...")
      ->allow_extra_args(false);
  command.add_flag("--print", options->print_only, "Print its address, and open nothing");
  command.callback([&chosen, options] {
    chosen.run = [options](Session& session) { return open_page(session, *options); };
  });
}

}  // namespace parley::cli
