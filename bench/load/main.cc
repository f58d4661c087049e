// parley_load: how many sends a cluster acknowledges, how long they take, what they cost, and how long it is
// silent when its leader is killed, and what the deletion of a large account does to others' sends. Starts
// its own local cluster unless --servers names one.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "load/deletion.h"
#include "load/local_cluster.h"
#include "load/senders.h"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Flags {
  std::vector<std::string> servers;
  std::string program;
  std::size_t nodes = 3;
  std::vector<std::size_t> clients{64};
  int seconds = 10;
  int warmup_seconds = 3;
  std::size_t body_size_bytes = 200;
  int kills = 0;
  std::size_t deleted_messages = 0;
};

std::chrono::milliseconds own_cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
  return std::chrono::milliseconds(ms(usage.ru_utime) + ms(usage.ru_stime));
}

void print_load(const Flags& flags, std::size_t clients, Senders& senders, const LocalCluster* cluster) {
  (void)senders.run_until(Clock::now() + std::chrono::seconds(flags.warmup_seconds));
  const LeaderSeen before = senders.leader();
  const auto nodes_cpu = cluster != nullptr ? cluster->cpu_time() : std::chrono::milliseconds(0);
  const auto own_cpu = own_cpu_time();
  const Clock::time_point began = Clock::now();
  const SendFigures figures = senders.run_until(began + std::chrono::seconds(flags.seconds));
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  const double acknowledged = static_cast<double>(std::max<std::size_t>(figures.acknowledged, 1));
  const auto per_send_us = [acknowledged](std::chrono::milliseconds time) {
    return static_cast<double>(time.count()) * 1000.0 / acknowledged;
  };
  fmt::print(
      "{} nodes, {:4} clients: {:7.0f} sends/s  p50 {:6.2f} ms  p99 {:6.2f} ms  longest gap {:5.0f} ms",
      flags.nodes, clients, static_cast<double>(figures.acknowledged) / seconds,
      figures.latencies.quantile_ms(0.5), figures.latencies.quantile_ms(0.99),
      std::chrono::duration<double, std::milli>(figures.longest_gap).count());
  if (cluster != nullptr) {
    fmt::print("  CPU per send: nodes {:4.0f} us, load {:3.0f} us",
               per_send_us(cluster->cpu_time() - nodes_cpu), per_send_us(own_cpu_time() - own_cpu));
  }
  const LeaderSeen after = senders.leader();
  fmt::print("  elections {}  attempts made again {}{}{}\n", after.term - before.term, figures.errors,
             figures.last_error.empty() ? "" : ", last: ", figures.last_error);
  std::fflush(stdout);
}

// Kills the leader under load again and again; the gap is the longest time without an acknowledgement around
// the kill.
int print_gaps(const Flags& flags, Senders& senders, LocalCluster& cluster) {
  std::vector<double> gaps_ms;
  (void)senders.run_until(Clock::now() + std::chrono::seconds(flags.warmup_seconds));
  for (int i = 0; i < flags.kills; ++i) {
    LeaderSeen leader = senders.leader();
    for (int tries = 0; !leader.server && tries < 100; ++tries) {
      (void)senders.run_until(Clock::now() + std::chrono::milliseconds(100));
      leader = senders.leader();
    }
    if (!leader.server) {
      fmt::print(stderr, "no leader is known after 10 s\n");
      return EXIT_FAILURE;
    }
    // The kill lies inside the measured stretch: sends are in flight when it comes.
    (void)senders.run_until(Clock::now() + std::chrono::milliseconds(500));
    cluster.kill_hard(*leader.server);
    const SendFigures figures = senders.run_until(Clock::now() + std::chrono::seconds(5));
    gaps_ms.push_back(std::chrono::duration<double, std::milli>(figures.longest_gap).count());
    fmt::print("kill {:2}: node {} led term {}, gap {:5.0f} ms\n", i + 1, *leader.server + 1, leader.term,
               gaps_ms.back());
    std::fflush(stdout);
    cluster.start_again(*leader.server);
    (void)senders.run_until(Clock::now() + std::chrono::seconds(3));
  }
  std::ranges::sort(gaps_ms);
  fmt::print("leader killed {} times: gap median {:.0f} ms, least {:.0f}, most {:.0f}\n", gaps_ms.size(),
             gaps_ms[gaps_ms.size() / 2], gaps_ms.front(), gaps_ms.back());
  return EXIT_SUCCESS;
}

int run(const Flags& flags) {
  for (const std::size_t clients : flags.clients) {
    std::string folder = (std::filesystem::temp_directory_path() / "parley-load-XXXXXX").string();
    std::optional<LocalCluster> cluster;
    std::vector<std::string> servers = flags.servers;
    if (servers.empty()) {
      if (::mkdtemp(folder.data()) == nullptr) {
        fmt::print(stderr, "no temporary folder {}\n", folder);
        return EXIT_FAILURE;
      }
      auto started = LocalCluster::start(flags.program, folder, flags.nodes);
      if (!started) {
        fmt::print(stderr, "{}\n", started.error());
        return EXIT_FAILURE;
      }
      cluster.emplace(std::move(*started));
      servers = cluster->client_addresses();
    }
    int code = EXIT_SUCCESS;
    {
      Senders senders(servers, clients, flags.body_size_bytes);
      if (!senders.wait_writable(std::chrono::seconds(30))) {
        fmt::print(stderr, "the cluster takes no write within 30 s\n");
        return EXIT_FAILURE;
      }
      if (const auto wrong = senders.register_accounts()) {
        fmt::print(stderr, "{}\n", *wrong);
        return EXIT_FAILURE;
      }
      if (flags.kills > 0 && cluster) {
        code = print_gaps(flags, senders, *cluster);
      } else if (flags.deleted_messages > 0) {
        const DeletionFlags deletion{.servers = servers,
                                     .messages = flags.deleted_messages,
                                     .stretch = std::chrono::seconds(flags.seconds)};
        code = print_deletion(deletion, senders) ? EXIT_SUCCESS : EXIT_FAILURE;
      } else {
        print_load(flags, clients, senders, cluster ? &*cluster : nullptr);
      }
    }
    cluster.reset();
    std::filesystem::remove_all(folder);
    if (code != EXIT_SUCCESS) {
      return code;
    }
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  parley::bench::Flags flags;
  flags.program = (std::filesystem::path(argv[0]).parent_path() / "parleyd").string();
  CLI::App app("Measures a Parley cluster under load. Without --servers it starts one, and ends it.");
  app.add_option("--servers", flags.servers, "HOST:PORT,… of a running cluster")->delimiter(',');
  app.add_option("--parleyd", flags.program, "the program to start (default: beside this one)");
  app.add_option("--nodes", flags.nodes, "how many nodes to start")->check(CLI::Range(1, 7));
  app.add_option("--clients", flags.clients, "closed-loop unary clients; several: one run each")
      ->delimiter(',');
  app.add_option("--seconds", flags.seconds, "of each measured run");
  app.add_option("--warmup-seconds", flags.warmup_seconds, "before it, not counted");
  app.add_option("--body-bytes", flags.body_size_bytes, "of each message")->check(CLI::Range(1, 16384));
  app.add_option("--kills", flags.kills, "kill the leader this many times under load and print the gaps");
  app.add_option("--delete", flags.deleted_messages,
                 "send this many messages to one account, delete it, and print what others' sends take");
  CLI11_PARSE(app, argc, argv);
  return parley::bench::run(flags);
}
