// watch_load: many watch streams over HTTP on one node, from this process: what they cost the node in memory,
// how long an event takes to the last of them, and (--kill) whether all of them go on elsewhere, without gap
// or repeat, when that node is killed. Every event of every stream is counted. Starts its own local cluster.
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "load/local_cluster.h"
#include "watch_load/talkers.h"
#include "watch_load/tally.h"
#include "watch_load/watchers.h"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{120};
constexpr int kSettle_ms = 3'000;  // a heartbeat of each stream lies in it

struct Flags {
  std::string program;
  std::size_t nodes = 3;
  std::size_t streams = 5'000;
  std::size_t accounts = 100;
  std::size_t messages = 400;
  int interval_ms = 10;
  bool watch_leader = false;
  bool kill = false;
};

// A folder of its own, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "parley-watch-XXXXXX").string()) {
    made_ = ::mkdtemp(path_.data()) != nullptr;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] bool is_made() const { return made_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

int fail(const std::string& why) {
  fmt::print(stderr, "watch_load: {}\n", why);
  return EXIT_FAILURE;
}

void say(const std::string& what) {
  fmt::print("{}\n", what);
  std::fflush(stdout);
}

// As many as the system lets us have. False: they are too few.
bool raise_open_files(std::size_t needed) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) {
    return false;
  }
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_max >= needed;
}

std::vector<base::Address> parsed(const std::vector<std::string>& texts) {
  std::vector<base::Address> addresses;
  for (const std::string& text : texts) {
    if (const auto address = base::parse_address(text)) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

double ms(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

void print_latencies(const Talkers& talkers, const Watchers& watchers) {
  Latencies from_begin;
  Latencies from_answer;
  for (const Sent& sent : talkers.sent()) {
    const auto last = watchers.last_arrival(sent.position);
    from_begin.add(last - sent.begun);
    from_answer.add(std::max(last - sent.acknowledged, Clock::duration::zero()));
  }
  say(fmt::format(
      "to the last watcher's event, {} messages: since its commit was acknowledged p50 {:.2f} ms, p99 "
      "{:.2f} ms; since the send began p50 {:.2f} ms, p99 {:.2f} ms",
      from_begin.count(), from_answer.quantile_ms(0.5), from_answer.quantile_ms(0.99),
      from_begin.quantile_ms(0.5), from_begin.quantile_ms(0.99)));
}

// Compares what each stream was given with what it should have been.
bool print_tally(const Flags& flags, const Talkers& talkers, const Watchers& watchers) {
  std::vector<std::vector<std::uint64_t>> expected;
  for (std::size_t account = 0; account < flags.accounts; ++account) {
    expected.push_back(talkers.expected(account));
  }
  Tally all;
  std::size_t events = 0;
  std::size_t clean = 0;
  for (std::size_t stream = 0; stream < flags.streams; ++stream) {
    const Tally tally = compare(expected[stream % flags.accounts], watchers.given(stream));
    events += watchers.given(stream).size();
    clean += tally.is_clean() ? 1 : 0;
    all.missing += tally.missing;
    all.repeated += tally.repeated;
    all.unexpected += tally.unexpected;
  }
  const std::size_t resyncs = watchers.seen().resyncs;
  say(fmt::format(
      "{} events counted over {} streams of {} accounts: {} streams exact; missing {}, repeated {}, "
      "unexpected {}, resync {}",
      events, flags.streams, flags.accounts, clean, all.missing, all.repeated, all.unexpected, resyncs));
  return all.is_clean() && resyncs == 0;
}

// Who leads, by what the nodes say: during an election nobody does.
std::optional<std::size_t> find_leader(Talkers& talkers) {
  const Clock::time_point end = Clock::now() + kPatience;
  auto leader = talkers.leader();
  while (!leader && Clock::now() < end) {
    ::poll(nullptr, 0, 100);
    leader = talkers.leader();
  }
  return leader;
}

// Half of the messages, the kill where it was asked for, and the other half.
int talk(const Flags& flags, LocalCluster& cluster, std::size_t watched, Talkers& talkers,
         Watchers& watchers) {
  Clock::time_point killed_at{};
  for (std::size_t i = 0; i < flags.messages; ++i) {
    if (flags.kill && i == flags.messages / 2) {
      cluster.kill_hard(watched);
      killed_at = Clock::now();
    }
    if (const auto wrong = talkers.send_one()) {
      return fail(*wrong);
    }
    ::poll(nullptr, 0, flags.interval_ms);
  }
  const Clock::time_point all_sent_at = Clock::now();
  std::size_t events = 0;
  for (std::size_t stream = 0; stream < flags.streams; ++stream) {
    events += talkers.expected(stream % flags.accounts).size();
  }
  // What does not come in this time is told as missing.
  const bool all_came = watchers.wait_events(events, kPatience);
  const Clock::time_point all_came_at = Clock::now();
  const bool all_served = all_came && watchers.wait_served(flags.streams, kPatience);
  if (flags.kill) {
    const Latencies resumed = watchers.resume_times();
    say(fmt::format(
        "node {} was killed under {} streams: {} went on elsewhere, p50 {:.0f} ms, p99 {:.0f} ms, last "
        "{:.0f} ms after they lost it; the last message was sent {:.0f} ms after the kill, and everything "
        "had "
        "been delivered {:.0f} ms later",
        watched + 1, flags.streams, resumed.count(), resumed.quantile_ms(0.5), resumed.quantile_ms(0.99),
        resumed.quantile_ms(1), ms(all_sent_at - killed_at), ms(all_came_at - all_sent_at)));
  }
  return all_served ? EXIT_SUCCESS
                    : fail(fmt::format("{} of {} events came, {} of {} streams are served; last loss: {}",
                                       watchers.seen().events, events, watchers.seen().served, flags.streams,
                                       watchers.seen().last_loss));
}

int run(const Flags& flags) {
  constexpr std::size_t kOtherFiles = 500;
  if (!raise_open_files(flags.streams + kOtherFiles)) {
    return fail(fmt::format("{} open files are not allowed here (ulimit -Hn)", flags.streams + kOtherFiles));
  }
  const TemporaryFolder folder;
  auto cluster = folder.is_made() ? LocalCluster::start(flags.program, folder.path(), flags.nodes)
                                  : std::unexpected("no temporary folder " + folder.path());
  if (!cluster) {
    return fail(cluster.error());
  }
  Talkers talkers(parsed(cluster->client_addresses()));
  if (const auto wrong = talkers.register_accounts(flags.accounts)) {
    return fail(*wrong);
  }
  const auto leader = find_leader(talkers);
  if (!leader) {
    return fail("nobody says who leads");
  }
  const std::size_t watched = flags.watch_leader ? *leader : (*leader + 1) % flags.nodes;
  const std::size_t before_bytes = cluster->resident_size_bytes(watched);
  const Clock::time_point began = Clock::now();
  Watchers watchers(parsed(cluster->http_addresses()), talkers.accounts(), flags.streams, watched);
  if (!watchers.wait_served(flags.streams, kPatience)) {
    return fail(fmt::format("{} of {} streams are served after {} s; last loss: {}", watchers.seen().served,
                            flags.streams, kPatience.count(), watchers.seen().last_loss));
  }
  const double opened_ms = ms(Clock::now() - began);
  ::poll(nullptr, 0, kSettle_ms);
  const std::size_t after_bytes = cluster->resident_size_bytes(watched);
  say(fmt::format(
      "{} streams of {} accounts on node {} ({}) of {}: open after {:.0f} ms; its memory {:.1f} MiB to "
      "{:.1f} MiB, {:.1f} KiB a stream",
      flags.streams, flags.accounts, watched + 1, flags.watch_leader ? "the leader" : "a follower",
      flags.nodes, opened_ms, static_cast<double>(before_bytes) / 1048576,
      static_cast<double>(after_bytes) / 1048576,
      (static_cast<double>(after_bytes) - static_cast<double>(before_bytes)) / 1024 /
          static_cast<double>(flags.streams)));
  int code = talk(flags, *cluster, watched, talkers, watchers);
  if (!flags.kill) {
    print_latencies(talkers, watchers);
  }
  watchers.stop();
  if (!print_tally(flags, talkers, watchers)) {
    code = EXIT_FAILURE;
  }
  return code;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  parley::bench::Flags flags;
  flags.program = (std::filesystem::path(argv[0]).parent_path() / "parleyd").string();
  CLI::App app("Measures watch streams over HTTP on one node of a local cluster, and counts every event.");
  app.add_option("--parleyd", flags.program, "the program to start (default: beside this one)");
  app.add_option("--nodes", flags.nodes, "how many nodes to start")->check(CLI::Range(2, 7));
  app.add_option("--streams", flags.streams, "watch streams, all on one node")->check(CLI::Range(1, 50'000));
  app.add_option("--accounts", flags.accounts, "that the streams belong to, in turn")
      ->check(CLI::Range(2, 10'000));
  app.add_option("--messages", flags.messages, "to send while they watch");
  app.add_option("--interval-ms", flags.interval_ms, "between two messages");
  app.add_flag("--leader", flags.watch_leader, "watch at the leader (default: at a follower)");
  app.add_flag("--kill", flags.kill, "kill the watched node half way: all streams go on elsewhere");
  CLI11_PARSE(app, argc, argv);
  return parley::bench::run(flags);
}
